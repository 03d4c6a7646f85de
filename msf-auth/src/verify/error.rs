//! Why a token was not accepted.

use std::{fmt, time::Duration};

use msf_core::problem::{Code, Problem};
use thiserror::Error;

/// A token was not accepted.
///
/// The message is the same for every reason, and so is the answer to the caller: what exactly was wrong
/// would help to forge the next one. [`reason`](Self::reason) is for logs and metrics.
///
/// ```
/// use msf_auth::{Reason, TokenIssuer, SigningKey, TrustedIssuer, Verifier};
/// use msf_core::problem::{Code, Problem};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
/// let trusted = TrustedIssuer::new("https://user.shop", issuer.jwks()).audience("shop");
/// let verifier = Verifier::builder().issuer(trusted).build()?;
///
/// let token = issuer.token("7").audience("another").sign()?;
/// let error = verifier.verify(&token).await.unwrap_err();
/// assert_eq!(error.reason(), Reason::Audience);
/// assert_eq!(error.to_string(), "the token was not accepted");
/// assert_eq!(Problem::from(error).code(), Code::InvalidToken);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{}", if .reason.is_unavailable() { "the token cannot be checked now" } else { "the token was not accepted" })]
pub struct VerifyError {
    reason: Reason,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal;)+) => {
        /// What was wrong with a token; for logs and metrics, never for callers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in logs and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

reasons! {
    /// It is above the limit in bytes.
    Size = "size";
    /// It is not three segments of base64url.
    Form = "form";
    /// The header is not JSON, or a member has the wrong type or is there twice.
    Header = "header";
    /// The header has a member that is refused: a key of the sender's, an extension, an encryption.
    HeaderMember = "header_member";
    /// The type is missing or not the one that the issuer's access tokens have.
    Type = "type";
    /// The algorithm is missing, unknown or not taken from this issuer.
    Algorithm = "algorithm";
    /// The key id is not 1 to 256 printable ASCII characters.
    KeyId = "key_id";
    /// The claims are not JSON, or one has the wrong type or is there twice.
    Claims = "claims";
    /// `iss`, `sub`, `aud` or `exp` is missing.
    MissingClaim = "missing_claim";
    /// The issuer is not trusted.
    Issuer = "issuer";
    /// The issuer has no such key.
    UnknownKey = "unknown_key";
    /// The algorithm is not the one that the key is for.
    KeyAlgorithm = "key_algorithm";
    /// The signature is not that of the key.
    Signature = "signature";
    /// It is for another audience.
    Audience = "audience";
    /// It has expired.
    Expired = "expired";
    /// Its time has not come.
    NotYetValid = "not_yet_valid";
    /// Its life is above the limit.
    Lifetime = "lifetime";
    /// It is for who proves to have a key, and nothing here looks at a proof.
    Bound = "bound";
    /// The issuer may not speak for this kind of subject, or for this service.
    Subject = "subject";
    /// It was taken back: itself, its session, or all that its subject or its issuer had until then.
    Revoked = "revoked";
    /// It is an API key, and not accepted.
    ApiKey = "api_key";
    /// The store of API keys did not answer; nothing is known about the key.
    ApiKeysUnavailable = "api_keys_unavailable";
    /// The issuer's keys cannot be had; nothing is known about the token.
    KeysUnavailable = "keys_unavailable";
    /// What was taken back is not known any more, and the verifier is told to refuse everything then.
    RevocationsUnavailable = "revocations_unavailable";
    /// The issuer says that it has ended, was taken back, or never was.
    Inactive = "inactive";
    /// The issuer cannot be asked, or its answer is none; nothing is known about the token.
    IssuerUnavailable = "issuer_unavailable";
}

impl Reason {
    pub(super) const fn is_unavailable(self) -> bool {
        matches!(
            self,
            Self::ApiKeysUnavailable
                | Self::KeysUnavailable
                | Self::RevocationsUnavailable
                | Self::IssuerUnavailable
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl VerifyError {
    /// What was wrong; for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// Whether it is not the token's fault: the keys to check it with cannot be had.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        self.reason.is_unavailable()
    }
}

impl From<Reason> for VerifyError {
    fn from(reason: Reason) -> Self {
        Self { reason }
    }
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        let problem = if error.is_unavailable() {
            Self::new(Code::Unavailable).with_retry_after(RETRY_AFTER)
        } else {
            Self::new(Code::InvalidToken)
        };
        problem.with_log_detail(error.reason.as_str())
    }
}

/// The first wait of the back-off between fetches of keys.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_reason_has_its_own_word_and_no_caller_sees_it() {
        let words: HashSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let problem = Problem::from(VerifyError::from(*reason));
            assert_eq!(problem.detail(), None);
            assert_eq!(problem.log_detail(), Some(reason.as_str()));
            let expected = if reason.is_unavailable() {
                Code::Unavailable
            } else {
                Code::InvalidToken
            };
            assert_eq!(problem.code(), expected);
        }
    }
}
