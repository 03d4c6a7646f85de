//! PKCS#8 in PEM (RFC 7468 section 10), as `openssl pkey` reads it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use msf_core::config::Secret;

use crate::keys::{InvalidKey, SigningKey};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// RFC 7468 section 2.
const LINE_LEN: usize = 64;

impl SigningKey {
    /// A key from PKCS#8 in PEM (RFC 7468 section 10), Ed25519 or P-256, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// ```
    /// use msf_auth::SigningKey;
    /// use msf_core::config::Secret;
    ///
    /// let text = "-----BEGIN PRIVATE KEY-----
    /// MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
    /// -----END PRIVATE KEY-----";
    /// let key = SigningKey::from_pem(&Secret::new(text.to_owned()))?;
    /// assert_eq!(key.algorithm(), msf_auth::Algorithm::EdDsa);
    /// # Ok::<(), msf_auth::InvalidKey>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Rejected`] for anything else, also for a text of two keys.
    pub fn from_pem(text: &Secret<String>) -> Result<Self, InvalidKey> {
        let der = decode(text.expose()).ok_or(InvalidKey::Rejected)?;
        Self::from_pkcs8(&der)
    }
}

pub(super) fn encode(der: &Secret<Vec<u8>>) -> Secret<String> {
    let body = STANDARD.encode(der.expose());
    let mut pem = format!("{BEGIN}\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(LINE_LEN));
        pem.push_str(line);
        pem.push('\n');
        rest = next;
    }
    pem.push_str(END);
    pem.push('\n');
    Secret::new(pem)
}

/// `None` unless the text is one block and nothing else.
pub(super) fn decode(pem: &str) -> Option<Secret<Vec<u8>>> {
    let body = pem.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let joined: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(joined).ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let der = Secret::new((0..=255).collect::<Vec<u8>>());
        let pem = encode(&der);
        assert!(pem.expose().lines().all(|line| line.len() <= LINE_LEN));
        assert_eq!(decode(pem.expose()).unwrap().expose(), der.expose());
    }

    #[test]
    fn anything_else_is_refused() {
        let good = encode(&Secret::new(vec![1, 2, 3])).into_exposed();
        for text in [
            "",
            "x",
            BEGIN,
            &good.replace("PRIVATE", "PUBLIC"),
            &good[..good.len() - 8],
        ] {
            assert!(decode(text).is_none(), "{text}");
        }
        assert!(decode(&format!("{good}{good}")).is_none());
    }
}
