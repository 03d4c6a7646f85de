//! What keeps the calls of one user together.

use http::{HeaderMap, HeaderName, header};

use super::hash;

/// Takes from a request what its call is kept together with others by: sticky sessions, without a table of sessions.
///
/// Under a hashing [`Balance`](crate::Balance) calls with the same value go to the same instance for as long as that
/// is there; a request without one goes to any. Nobody checks the value: who may choose it may choose the instance.
///
/// ```
/// use http::Request;
/// use msf_registry::{PickContext, balance::{Sticky, hash}};
///
/// let sticky = Sticky::header("x-user")?.or(Sticky::cookie("session")?);
/// let request = Request::get("/cart").header("cookie", "theme=dark; session=4711").body(())?;
/// let kept = sticky.hash(request.headers());
/// assert_eq!(kept, Some(hash::of(b"4711")));
/// assert_eq!(sticky.hash(Request::get("/").body(())?.headers()), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    sources: Vec<Source>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Header(HeaderName),
    Cookie(Box<str>),
}

/// A name that nothing in a request can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSticky {
    /// No header.
    #[error("`{0}` is no name of a header")]
    Header(String),
    /// No cookie.
    #[error(
        "`{0}` is no name of a cookie: letters, digits and some punctuation, and no `=` or `;`"
    )]
    Cookie(String),
}

impl Sticky {
    /// By the first value of a header.
    ///
    /// # Errors
    ///
    /// [`InvalidSticky::Header`].
    pub fn header(name: &str) -> Result<Self, InvalidSticky> {
        match HeaderName::try_from(name) {
            Ok(name) => Ok(Self::by(Source::Header(name))),
            Err(_) => Err(InvalidSticky::Header(name.to_owned())),
        }
    }

    /// By the value of a cookie, with or without quotes.
    ///
    /// # Errors
    ///
    /// [`InvalidSticky::Cookie`].
    pub fn cookie(name: &str) -> Result<Self, InvalidSticky> {
        // RFC 6265 takes its names from HTTP's tokens, as headers do; theirs would come out in small letters.
        match HeaderName::try_from(name) {
            Ok(_) => Ok(Self::by(Source::Cookie(name.into()))),
            Err(_) => Err(InvalidSticky::Cookie(name.to_owned())),
        }
    }

    /// Or, for a request that has none of that, by something else.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.sources.extend(other.sources);
        self
    }

    /// The [hash](crate::PickContext::hash) of a request with these headers; `None` if none of them says anything.
    #[must_use]
    pub fn hash(&self, headers: &HeaderMap) -> Option<u64> {
        let values = self.sources.iter().filter_map(|source| match source {
            Source::Header(name) => Some(headers.get(name)?.as_bytes()),
            Source::Cookie(name) => cookie(headers, name.as_bytes()),
        });
        let mut said = values.filter(|value| !value.is_empty());
        said.next().map(hash::of)
    }

    fn by(source: Source) -> Self {
        Self {
            sources: vec![source],
        }
    }
}

/// The value of a cookie. HTTP/2 may send each in a header of its own (RFC 9113, section 8.2.3).
fn cookie<'h>(headers: &'h HeaderMap, name: &[u8]) -> Option<&'h [u8]> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let mut pairs = all.flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    pairs.find_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"=")?;
        let quoted = value
            .strip_prefix(b"\"")
            .and_then(|value| value.strip_suffix(b"\""));
        Some(quoted.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(cookies: &[&[u8]]) -> HeaderMap {
        let value = |cookie: &&[u8]| {
            (
                header::COOKIE,
                http::HeaderValue::from_bytes(cookie).unwrap(),
            )
        };
        cookies.iter().map(value).collect()
    }

    #[test]
    fn a_cookie_is_found_wherever_it_is_and_under_its_own_name_only() {
        for (cookies, found) in [
            (&[&b"s=1"[..]][..], Some(&b"1"[..])),
            (&[b"a=2; s=1;b=3"], Some(b"1")),
            (&[b"a=2", b"s=1"], Some(b"1")),
            (&[b"s=\"1\""], Some(b"1")),
            (&[b"s=\""], Some(b"\"")),
            (&[b"s=a=b"], Some(b"a=b")),
            (&[b"s=\xff"], Some(b"\xff")),
            (&[b"ss=1; S=1; as=1; s; s ;="], None),
            (&[], None),
        ] {
            assert_eq!(cookie(&headers(cookies), b"s"), found, "{cookies:?}");
        }
    }

    #[test]
    fn an_empty_value_says_nothing() {
        let sticky = Sticky::cookie("s")
            .unwrap()
            .or(Sticky::header("X-User").unwrap());
        let mut asked = headers(&[b"s="]);
        assert_eq!(sticky.hash(&asked), None);
        asked.insert("x-user", "u".parse().unwrap());
        assert_eq!(sticky.hash(&asked), Some(hash::of(b"u")));
    }

    #[test]
    fn a_name_that_nothing_has_is_refused() {
        assert_eq!(
            Sticky::header("x user"),
            Err(InvalidSticky::Header("x user".to_owned()))
        );
        for name in ["", "a=b", "a;b", "a b", "ü"] {
            assert_eq!(
                Sticky::cookie(name),
                Err(InvalidSticky::Cookie(name.to_owned()))
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read(cookies in proptest::collection::vec("[ -~]{0,40}", 0..4)) {
            let cookies: Vec<_> = cookies.iter().map(String::as_bytes).collect();
            let _ = Sticky::cookie("s").unwrap().hash(&headers(&cookies));
        }
    }
}
