//! [`HashBy`].

use std::{borrow::Cow, fmt, str::FromStr};

use http::{HeaderName, header::COOKIE, request::Parts};
use msf_client::CallHash;

use crate::limit::RateKey;

/// What requests are kept together by, in a cluster that is balanced by hash ([`Balance::is_hashing`]): those that have it
/// in common go to one endpoint, for as long as that works.
///
/// A request without the header or cookie is kept together with others of its client.
///
/// ```
/// use msf_gateway::{Cluster, HashBy};
/// use msf_registry::Balance;
///
/// let carts = Cluster::new("carts")
///     .endpoints(["http://10.0.0.1:9001", "http://10.0.0.2:9001"])
///     .load_balancing(Balance::Maglev.into())
///     .hash_by("cookie:session".parse::<HashBy>()?);
/// # drop(carts);
/// # Ok::<(), msf_gateway::InvalidHashBy>(())
/// ```
///
/// [`Balance::is_hashing`]: msf_registry::Balance::is_hashing
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HashBy {
    /// The client's address, as trusted proxies tell it; of IPv6 the first 64 bits. The default.
    Client,
    /// The canonical path, without its query: for caches.
    Path,
    /// The value of a header, the first if there are several.
    Header(HeaderName),
    /// The value of a cookie.
    Cookie(Box<str>),
}

/// A text that says nothing that requests could be kept together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is one of client, path, header:NAME and cookie:NAME")]
#[non_exhaustive]
pub struct InvalidHashBy;

impl HashBy {
    /// The hash of a request, which its call finds in its extensions.
    pub(crate) fn mark(&self, parts: &mut Parts, client: &RateKey) {
        let hash = CallHash::of(&self.key(parts, client));
        parts.extensions.insert(hash);
    }

    fn key<'a>(&self, parts: &'a Parts, client: &RateKey) -> Cow<'a, [u8]> {
        let found = match self {
            Self::Client => None,
            Self::Path => Some(parts.uri.path().as_bytes()),
            Self::Header(name) => parts.headers.get(name).map(|value| value.as_bytes()),
            Self::Cookie(name) => cookie(parts, name),
        };
        // An empty value is no way to be alone with nobody: all of them would go to one endpoint.
        match found.filter(|key| !key.is_empty()) {
            Some(key) => Cow::Borrowed(key),
            None => Cow::Owned(client.to_text().into_bytes()),
        }
    }
}

fn cookie<'a>(parts: &'a Parts, name: &str) -> Option<&'a [u8]> {
    let lines = parts.headers.get_all(COOKIE).into_iter();
    let mut pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.find_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?;
        value.strip_prefix(b"=")
    })
}

impl FromStr for HashBy {
    type Err = InvalidHashBy;

    fn from_str(text: &str) -> Result<Self, InvalidHashBy> {
        let is_token =
            |name: &str| !name.is_empty() && HeaderName::from_bytes(name.as_bytes()).is_ok();
        match text.split_once(':') {
            None if text == "client" => Ok(Self::Client),
            None if text == "path" => Ok(Self::Path),
            Some(("header", name)) => {
                let name = name.parse().map_err(|_| InvalidHashBy)?;
                Ok(Self::Header(name))
            }
            // The name of a cookie is a token too (RFC 6265 section 4.1.1), and its case counts.
            Some(("cookie", name)) if is_token(name) => Ok(Self::Cookie(name.into())),
            _ => Err(InvalidHashBy),
        }
    }
}

impl fmt::Display for HashBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Path => f.write_str("path"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn key(by: &str, request: http::request::Builder) -> String {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let client = RateKey::client("192.0.2.1".parse().ok());
        let by: HashBy = by.parse().unwrap();
        String::from_utf8(by.key(&parts, &client).into_owned()).unwrap()
    }

    #[test]
    fn a_request_is_kept_together_by_what_it_has() {
        let get = || Request::get("/carts/7?x=1");
        assert_eq!(key("client", get()), "ip:192.0.2.1");
        assert_eq!(key("path", get()), "/carts/7");
        assert_eq!(key("header:X-User", get().header("x-user", "u")), "u");
        assert_eq!(key("header:x-user", get()), "ip:192.0.2.1");
        assert_eq!(
            key("header:x-user", get().header("x-user", "")),
            "ip:192.0.2.1"
        );
        let cookies = get()
            .header("cookie", "as=1; s=2;S=3")
            .header("cookie", "t=4");
        assert_eq!(key("cookie:s", cookies), "2");
        let cookies = get()
            .header("cookie", "as=1")
            .header("cookie", "t=4; s=5=6");
        assert_eq!(key("cookie:s", cookies), "5=6");
        assert_eq!(
            key("cookie:s", get().header("cookie", "s; xs=1")),
            "ip:192.0.2.1"
        );
    }

    #[test]
    fn a_text_that_names_nothing_is_refused() {
        for text in [
            "",
            "Client",
            "ip",
            "header",
            "header:",
            "header:a b",
            "cookie:",
            "cookie:a=b",
            "query:x",
        ] {
            assert_eq!(text.parse::<HashBy>(), Err(InvalidHashBy), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(text in "(client|path|header:[a-z]{1,5}|cookie:[a-zA-Z_]{1,5}|.{0,9})") {
            if let Ok(by) = text.parse::<HashBy>() {
                prop_assert_eq!(by.to_string().parse::<HashBy>(), Ok(by));
            }
        }
    }
}
