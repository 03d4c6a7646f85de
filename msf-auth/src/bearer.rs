//! Bearer tokens in headers: reading one, and having one to send.

use http::{HeaderMap, HeaderValue, header};
use msf_core::BoxError;
use thiserror::Error;

/// Whoever has a token for outgoing calls.
///
/// It is asked on every call and must not block: implementations keep a token and renew it before it expires,
/// as [`ServiceTokens`](crate::ServiceTokens) does.
///
/// ```
/// use http::HeaderValue;
/// use msf_auth::{BearerError, BearerSource};
///
/// #[derive(Debug)]
/// struct Fixed(HeaderValue);
///
/// impl BearerSource for Fixed {
///     fn bearer(&self) -> Result<HeaderValue, BearerError> {
///         Ok(self.0.clone())
///     }
/// }
///
/// let source = Fixed(HeaderValue::from_static("Bearer abc"));
/// assert_eq!(source.bearer()?, "Bearer abc");
/// # Ok::<(), BearerError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no bearer token to send",
    note = "implement `msf_auth::BearerSource`, or use `TokenIssuer::service_tokens`"
)]
pub trait BearerSource: Send + Sync {
    /// The whole value of an `Authorization` header, marked as sensitive.
    ///
    /// # Errors
    ///
    /// [`BearerError`] when there is no token; the call should then not be made.
    fn bearer(&self) -> Result<HeaderValue, BearerError>;
}

/// There is no token to send.
#[derive(Debug, Error)]
#[error("there is no token to call with")]
pub struct BearerError {
    #[source]
    source: BoxError,
}

impl BearerError {
    /// Wraps what went wrong.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self {
            source: source.into(),
        }
    }
}

/// The `Authorization` header cannot be taken for credentials.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidAuthorization {
    /// There are several headers; which one a proxy checked cannot be known.
    #[error("more than one Authorization header")]
    Repeated,
    /// The header is not of the form `Bearer <token>`.
    #[error("the Authorization header is malformed")]
    Malformed,
}

/// The bearer token of a request; `None` when it has no credentials or those of another scheme.
///
/// The form is that of RFC 6750 section 2.1, with the scheme in any case (RFC 9110 section 11.1). Tokens in
/// queries or bodies are not looked for.
///
/// # Errors
///
/// [`InvalidAuthorization`]; the answer is 400 ([`Refusal::Malformed`](crate::Refusal::Malformed)).
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use msf_auth::bearer_token;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(bearer_token(&headers), Ok(None));
///
/// headers.insert("authorization", HeaderValue::from_static("bearer abc.def.ghi"));
/// assert_eq!(bearer_token(&headers), Ok(Some("abc.def.ghi")));
///
/// headers.append("authorization", HeaderValue::from_static("Bearer other"));
/// assert!(bearer_token(&headers).is_err());
/// ```
pub fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, InvalidAuthorization> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(InvalidAuthorization::Repeated);
    }
    parse(value.as_bytes())
}

fn parse(value: &[u8]) -> Result<Option<&str>, InvalidAuthorization> {
    let end = value.iter().position(|b| *b == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Ok(None);
    }
    let start = rest.iter().position(|b| *b != b' ').unwrap_or(rest.len());
    let token = &rest[start..];
    if !is_b64token(token) {
        return Err(InvalidAuthorization::Malformed);
    }
    str::from_utf8(token)
        .map(Some)
        .map_err(|_| InvalidAuthorization::Malformed)
}

/// `b64token` of RFC 6750 section 2.1.
fn is_b64token(token: &[u8]) -> bool {
    let end = token
        .iter()
        .rposition(|b| *b != b'=')
        .map_or(0, |at| at + 1);
    // Without a way out of the middle, so that it is done for many bytes at once.
    let is_good = token[..end].iter().fold(true, |good, b| good & is_char(*b));
    end > 0 && is_good
}

const fn is_char(b: u8) -> bool {
    let is_letter = (b | 0x20).wrapping_sub(b'a') < 26;
    let is_digit = b.wrapping_sub(b'0') < 10;
    // `-`, `.`, `/` and the digits lie side by side.
    is_letter | is_digit | (b.wrapping_sub(b'-') < 3) | (b == b'_') | (b == b'~') | (b == b'+')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_scheme_is_in_any_case_and_the_token_as_it_is() {
        for value in ["Bearer aB-._~+/9==", "bEARER  aB-._~+/9=="] {
            assert_eq!(parse(value.as_bytes()), Ok(Some("aB-._~+/9==")));
        }
    }

    #[test]
    fn what_is_not_a_token_is_malformed() {
        for value in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a,b",
            "Bearer =",
            "Bearer a=b",
            "Bearer a ",
            "Bearer \u{e9}",
            "Bearer\ta",
            "Bearer \"a\"",
        ] {
            let outcome = parse(value.as_bytes());
            assert!(
                outcome == Err(InvalidAuthorization::Malformed) || outcome == Ok(None),
                "{value:?} gave {outcome:?}"
            );
        }
        assert_eq!(parse(b"Bearer a b"), Err(InvalidAuthorization::Malformed));
    }

    #[test]
    fn another_scheme_is_no_token() {
        for value in [
            "Basic dTpw",
            "Bearerabc",
            "",
            " Bearer a",
            "\u{212A}earer a",
        ] {
            assert_eq!(parse(value.as_bytes()), Ok(None), "{value:?}");
        }
    }

    #[test]
    fn the_characters_are_those_of_the_rfc() {
        for b in u8::MIN..=u8::MAX {
            let listed = b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
            assert_eq!(is_char(b), listed, "{b}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(value in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some(token)) = parse(&value) {
                prop_assert!(is_b64token(token.as_bytes()));
            }
        }

        #[test]
        fn no_bytes_after_the_scheme_make_it_panic(
            rest in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let value = [b"Bearer ".as_slice(), &rest].concat();
            match parse(&value) {
                Ok(Some(token)) => prop_assert!(value.ends_with(token.as_bytes())),
                other => prop_assert_eq!(other, Err(InvalidAuthorization::Malformed)),
            }
        }
    }
}
