//! Signed messages without claims (RFC 7515): webhooks, signed documents, whatever is no access token.
//!
//! [`verify`] is as strict about form, header and keys as a [`Verifier`](crate::Verifier) is, and says nothing about
//! the payload: it is bytes. For access tokens use a verifier, which also checks for whom they are and until when.
//!
//! ```
//! use msf_auth::{Algorithm, HmacKey, KeySet, Reason, jws};
//! use msf_core::config::Secret;
//!
//! let secret = Secret::new(b"a secret of at least 32 bytes, say".to_vec());
//! let keys = KeySet::new([HmacKey::hs256("2026-11", &secret)?])?;
//!
//! // {"alg":"HS256","kid":"2026-11"} and the payload `paid`.
//! let message = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjIwMjYtMTEifQ.cGFpZA.AAAA";
//! let refused = jws::verify(message, &keys, &[Algorithm::Hs256]);
//! assert_eq!(refused.unwrap_err(), Reason::Signature);
//! # Ok::<(), msf_core::BoxError>(())
//! ```

use std::fmt;

use crate::{
    algorithm::Algorithm,
    keys::{KeySet, is_key_id},
    token::{Compact, Header, base64url},
    verify::Reason,
};

/// A message whose signature is good.
#[derive(Clone, PartialEq, Eq)]
pub struct Jws {
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
    message_type: Option<Box<str>>,
    payload: Vec<u8>,
}

/// Longer messages are refused before anything is decoded; a webhook has a few KiB.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// The payload of a message in compact form, signed by a key of `keys` with one of `algorithms`.
///
/// The key is that of the `kid`, or without one the only key there is; its algorithm has to be that of the message.
/// The payload may be empty. A header with `crit`, `b64`, `zip`, `enc`, `cty`, `jku`, `jwk`, `x5u` or `x5c` is
/// refused, and so are more than 1 MiB and a member that is there twice.
///
/// # Errors
///
/// The [`Reason`]; for logs, not for the sender.
pub fn verify(message: &str, keys: &KeySet, algorithms: &[Algorithm]) -> Result<Jws, Reason> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(Reason::Size);
    }
    let parts = Compact::split_message(message).ok_or(Reason::Form)?;
    if parts.header.len() > Header::TEXT_BYTES_MAX {
        return Err(Reason::Size);
    }
    let header_json = base64url::decode(parts.header).ok_or(Reason::Form)?;
    let signature = base64url::decode(parts.signature).ok_or(Reason::Form)?;
    let header = Header::parse(&header_json).map_err(|_| Reason::Header)?;
    if header.has_forbidden || header.has_key_hint {
        return Err(Reason::HeaderMember);
    }
    let algorithm = header.algorithm.as_deref().and_then(Algorithm::from_name);
    let algorithm = algorithm
        .filter(|algorithm| algorithms.contains(algorithm))
        .ok_or(Reason::Algorithm)?;
    let key_id = header.key_id.as_deref();
    if key_id.is_some_and(|id| !is_key_id(id)) {
        return Err(Reason::KeyId);
    }
    let key = keys.find(key_id).ok_or(Reason::UnknownKey)?;
    if key.algorithm() != algorithm {
        return Err(Reason::KeyAlgorithm);
    }
    let payload = base64url::decode(parts.payload).ok_or(Reason::Form)?;
    if !key.verify(parts.signing_input.as_bytes(), &signature) {
        return Err(Reason::Signature);
    }
    Ok(Jws {
        algorithm,
        key_id: header.key_id.map(Into::into),
        message_type: header.token_type.map(Into::into),
        payload,
    })
}

impl Jws {
    /// What was signed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What was signed, taken out.
    #[must_use]
    pub fn into_payload(self) -> Vec<u8> {
        self.payload
    }

    /// The algorithm that it was signed with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The id of the key, if the header names one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The type (`typ`), if the header names one; compare it where one key signs several kinds of messages.
    #[must_use]
    pub fn message_type(&self) -> Option<&str> {
        self.message_type.as_deref()
    }
}

/// Without the payload, which is somebody else's.
impl fmt::Debug for Jws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jws")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .field("message_type", &self.message_type)
            .finish_non_exhaustive()
    }
}
