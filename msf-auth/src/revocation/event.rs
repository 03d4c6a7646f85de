//! What is taken back.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::principal::Principal;

/// Tokens that are taken back. It can be sent to other processes as it is.
///
/// Tokens of a subject or an issuer are told apart by when they were issued (`iat`), which is in whole seconds:
/// one that was issued within the second of `issued_until_s` is taken back too, and so is one that does not say
/// when it was issued.
///
/// ```
/// use msf_auth::Revocation;
///
/// let logout = Revocation::Session {
///     issuer: "https://user.shop".into(),
///     session_id: "s-1".into(),
///     subject: None,
/// };
/// let text = serde_json::to_string(&logout)?;
/// assert_eq!(text, r#"{"kind":"session","issuer":"https://user.shop","session_id":"s-1"}"#);
/// assert_eq!(serde_json::from_str::<Revocation>(&text)?, logout);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Revocation {
    /// One token.
    Token {
        /// Its `iss`.
        issuer: Box<str>,
        /// Its `jti`.
        token_id: Box<str>,
        /// Its `sub`: what is taken back in full when there is no room for single tokens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<Box<str>>,
        /// Its `exp`: how long this has to be remembered.
        expires_at_s: u64,
    },
    /// All tokens of a session, those that are still to come included.
    Session {
        /// Their `iss`.
        issuer: Box<str>,
        /// Their `sid`.
        session_id: Box<str>,
        /// Their `sub`: what is taken back in full when there is no room for single sessions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<Box<str>>,
    },
    /// All tokens that a subject has been issued until a moment.
    Subject {
        /// Their `iss`.
        issuer: Box<str>,
        /// Their `sub`.
        subject: Box<str>,
        /// In seconds since 1970.
        issued_until_s: u64,
    },
    /// All tokens that an issuer has issued until a moment.
    Issuer {
        /// Their `iss`.
        issuer: Box<str>,
        /// In seconds since 1970.
        issued_until_s: u64,
    },
    /// All tokens of all issuers until a moment.
    All {
        /// In seconds since 1970.
        issued_until_s: u64,
    },
}

impl Revocation {
    /// The token of a caller; all tokens of its subject until now when it has no id.
    #[must_use]
    pub fn token(caller: &Principal, now: SystemTime) -> Self {
        let Some(token_id) = caller.token_id() else {
            return Self::subject_and_itself(caller, now);
        };
        Self::Token {
            issuer: caller.issuer().into(),
            token_id: token_id.into(),
            subject: Some(caller.subject().into()),
            expires_at_s: seconds(caller.expires_at()),
        }
    }

    /// The session of a caller; all tokens of its subject until now when it has none.
    #[must_use]
    pub fn session(caller: &Principal, now: SystemTime) -> Self {
        let Some(session_id) = caller.session_id() else {
            return Self::subject_and_itself(caller, now);
        };
        Self::Session {
            issuer: caller.issuer().into(),
            session_id: session_id.into(),
            subject: Some(caller.subject().into()),
        }
    }

    /// The clock of the issuer may be ahead, and the token of the caller issued after what is now here.
    fn subject_and_itself(caller: &Principal, now: SystemTime) -> Self {
        let issued_at = caller.issued_at().unwrap_or(now);
        Self::subject(caller, now.max(issued_at))
    }

    /// All tokens of the subject of a caller that were issued until a moment.
    #[must_use]
    pub fn subject(caller: &Principal, issued_until: SystemTime) -> Self {
        Self::Subject {
            issuer: caller.issuer().into(),
            subject: caller.subject().into(),
            issued_until_s: seconds(issued_until),
        }
    }
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}
