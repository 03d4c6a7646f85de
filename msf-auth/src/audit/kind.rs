//! What can happen.

use std::fmt;

/// How much an event is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// It happens all day: worth keeping, not worth a look.
    Routine,
    /// Somebody was refused, or something changed that matters.
    Notable,
    /// It should not happen: a secret is known to somebody else, or is about to be.
    Alert,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal, $severity:ident;)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in logs and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// How much it is to be looked at.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)+
                }
            }
        }
    };
}

kinds! {
    /// A token was not accepted.
    TokenRefused = "token_refused", Routine;
    /// A policy did not let a caller pass.
    PolicyDenied = "policy_denied", Notable;
    /// Somebody logged in.
    LoginSucceeded = "login_succeeded", Routine;
    /// A password was wrong, or the account unknown.
    LoginFailed = "login_failed", Notable;
    /// A login was not tried, since there were too many before it.
    LoginLimited = "login_limited", Notable;
    /// An account takes no login for a while.
    LoginLocked = "login_locked", Alert;
    /// A password was changed.
    PasswordChanged = "password_changed", Notable;
    /// A session began: its first refresh token was issued.
    RefreshIssued = "refresh_issued", Routine;
    /// A refresh token was exchanged for its successor.
    RefreshRotated = "refresh_rotated", Routine;
    /// A refresh token came back after its successor was in use: one of the two holders stole it.
    RefreshReused = "refresh_reused", Alert;
    /// Refresh tokens were taken back.
    RefreshRevoked = "refresh_revoked", Notable;
    /// Tokens were taken back.
    TokenRevoked = "token_revoked", Notable;
    /// A client of the authorization server said who it is.
    ClientAuthenticated = "client_authenticated", Routine;
    /// Somebody said to be a client and could not prove it.
    ClientRefused = "client_refused", Notable;
    /// An access token was issued to a client.
    TokenIssued = "token_issued", Routine;
    /// A token was exchanged for one with another audience.
    TokenExchanged = "token_exchanged", Routine;
    /// A signing key is published and not yet used.
    KeyStaged = "key_staged", Notable;
    /// A signing key is in use.
    KeyActivated = "key_activated", Notable;
    /// A signing key signs no more.
    KeyRetired = "key_retired", Notable;
    /// A retired signing key is published no more.
    KeyRemoved = "key_removed", Notable;
    /// A signing key was taken back, with every token that it signed.
    KeyRevoked = "key_revoked", Alert;
    /// An issuer published a private key.
    PrivateKeyPublished = "private_key_published", Alert;
    /// An API key was made.
    ApiKeyCreated = "api_key_created", Notable;
    /// An API key was not accepted.
    ApiKeyRefused = "api_key_refused", Notable;
    /// An API key was taken back.
    ApiKeyRevoked = "api_key_revoked", Notable;
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
