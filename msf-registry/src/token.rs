//! The shared secret by which a registry knows its clients.

use http::HeaderValue;
use msf_core::config::Secret;
use subtle::ConstantTimeEq;

/// A bearer token (RFC 6750 section 2.1).
#[derive(Clone, Debug)]
pub(crate) struct Token(Secret<String>);

/// Not a token: a registry and its clients take 16 to 512 characters of visible ASCII, such as the 64 digits of
/// `openssl rand -hex 32`. Who wants none leaves it out.
///
/// ```
/// use msf_registry::backend::http::HttpRegistry;
///
/// let short = HttpRegistry::builder("http://127.0.0.1:8500").token("short".to_owned()).build();
/// assert!(short.is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// Too short to be hard to guess, or too long for a header.
    #[error(
        "a token must be {LEN_MIN} to {LEN_MAX} bytes, and is {0}; `openssl rand -hex 32` makes one"
    )]
    Length(usize),
    /// A byte that a header cannot carry: often the end of a line, where it was read from a file.
    #[error("a token must be visible ASCII characters; a space or the end of a line is none")]
    Character,
}

impl Token {
    pub(crate) fn new(secret: Secret<String>) -> Result<Self, InvalidToken> {
        let text = secret.expose();
        if !(LEN_MIN..=LEN_MAX).contains(&text.len()) {
            return Err(InvalidToken::Length(text.len()));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidToken::Character);
        }
        Ok(Self(secret))
    }

    /// Whether it is what was presented. Takes as long for a wrong token as for the right one of the
    /// same length, so that its bytes cannot be found one after the other.
    pub(crate) fn is(&self, presented: &[u8]) -> bool {
        self.0.expose().as_bytes().ct_eq(presented).into()
    }

    /// The value of the header that presents it.
    pub(crate) fn header(&self) -> HeaderValue {
        let text = format!("Bearer {}", self.0.expose());
        let mut value = HeaderValue::try_from(text).expect("a token is visible ASCII characters");
        value.set_sensitive(true);
        value
    }
}

/// 128 bits in hexadecimal digits are twice as many; what people make up by hand is often less.
const LEN_MIN: usize = 16;
const LEN_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_enough_and_fits_a_header() {
        let new = |text: &str| Token::new(Secret::new(text.to_owned())).map(|_| ());
        assert_eq!(new("0123456789abcdef"), Ok(()));
        assert_eq!(new(""), Err(InvalidToken::Length(0)));
        assert_eq!(new("0123456789abcde"), Err(InvalidToken::Length(15)));
        assert_eq!(new(&"x".repeat(513)), Err(InvalidToken::Length(513)));
        for bad in ["0123456789abcde\n", "0123456789 abcdef", "0123456789abcdeé"] {
            assert_eq!(new(bad), Err(InvalidToken::Character), "{bad:?}");
        }
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = Token::new(Secret::new("0123456789abcdef".to_owned())).unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for wrong in [
            "",
            "0123456789abcde",
            "0123456789abcdeF",
            "0123456789abcdef0",
        ] {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
        assert_eq!(token.header(), "Bearer 0123456789abcdef");
        let shown = format!("{token:?} {:?}", token.header());
        assert!(!shown.contains("0123"), "{shown}");
    }
}
