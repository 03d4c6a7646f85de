//! A login from end to end.

use std::time::Duration;

use msf_core::{
    config::Secret,
    problem::{Code, Problem},
};
use thiserror::Error;

use super::{Attempt, LimitedBy, LoginLimiter};
use crate::password::{PasswordError, PasswordHash, Passwords};

/// Passwords behind a limiter: the same answer in the same time for a wrong password, an unknown account and one that is
/// locked.
///
/// ```
/// use msf_auth::{PasswordConfig, Passwords, login::{Attempt, LoginError, LoginLimiter, Logins}};
/// use msf_core::config::Secret;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let passwords = Passwords::new(PasswordConfig::default())?;
/// let stored = passwords.hash(Secret::new("lovelace-1815".into())).await?; // when the account was made
/// let logins = Logins::new(passwords, LoginLimiter::builder().build()?);
///
/// let attempt = Attempt::new("ada@example.com").subject("7").address("192.0.2.7".parse()?);
/// let wrong = logins.log_in(attempt, Secret::new("hopper-1906".into()), Some(stored.clone())).await;
/// assert!(matches!(wrong, Err(LoginError::Refused)));
///
/// let done = logins.log_in(attempt, Secret::new("lovelace-1815".into()), Some(stored)).await?;
/// assert!(done.rehash.is_none()); // else: store it where the old one still is
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Logins {
    passwords: Passwords,
    limiter: LoginLimiter,
}

/// Somebody has logged in.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use]
pub struct LoggedIn {
    /// The hash to store from now on; see [`Outcome::rehash`](crate::password::Outcome::rehash).
    pub rehash: Option<PasswordHash>,
    /// What to give to the device; see [`LoginLimiter::device`].
    pub device: Option<Secret<String>>,
}

/// Somebody has not logged in.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginError {
    /// The account or the password is wrong, or there were too many failures for the account: nobody is told which.
    #[error("the account or the password is wrong")]
    Refused,
    /// Too many failures came from the network, or from everywhere.
    #[error("too many logins have failed")]
    Limited {
        /// When the next attempt may be made.
        retry_after: Duration,
    },
    /// The password could not be compared. The attempt does not count.
    #[error(transparent)]
    Unavailable(PasswordError),
}

impl Logins {
    /// Passwords behind a limiter.
    #[must_use]
    pub const fn new(passwords: Passwords, limiter: LoginLimiter) -> Self {
        Self { passwords, limiter }
    }

    /// The passwords, to hash a new one.
    #[must_use]
    pub const fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// Compares a password with the hash of the account; `None` when there is no such account. Read the hash in any case,
    /// before this is called, so that it takes its time for every name.
    ///
    /// # Errors
    ///
    /// [`LoginError`].
    ///
    /// # Cancel safety
    ///
    /// Dropped after the attempt was admitted, it has failed.
    pub async fn log_in(
        &self,
        attempt: Attempt<'_>,
        password: Secret<String>,
        stored: Option<PasswordHash>,
    ) -> Result<LoggedIn, LoginError> {
        let admission = match self.limiter.admit(attempt) {
            Ok(admission) => admission,
            Err(limited) if limited.by == LimitedBy::Account => {
                // The time of a comparison, and no chance: the answer says nothing about the password.
                return match self.passwords.verify(password, None).await {
                    Err(error) if !is_refusal(error) => Err(LoginError::Unavailable(error)),
                    _ => Err(LoginError::Refused),
                };
            }
            Err(limited) => {
                let retry_after = limited.retry_after;
                return Err(LoginError::Limited { retry_after });
            }
        };
        match self.passwords.verify(password, stored).await {
            Ok(outcome) if outcome.matches => {
                admission.succeeded();
                Ok(LoggedIn {
                    rehash: outcome.rehash,
                    device: self.limiter.device(attempt.account),
                })
            }
            Ok(_) => {
                admission.failed();
                Err(LoginError::Refused)
            }
            Err(error) if is_refusal(error) => {
                if error == PasswordError::StoredHash {
                    tracing::error!(
                        subject = attempt.subject,
                        "a stored password hash cannot be used"
                    );
                }
                admission.failed();
                Err(LoginError::Refused)
            }
            Err(error) => {
                admission.withdrawn();
                Err(LoginError::Unavailable(error))
            }
        }
    }
}

/// What must not be told from a wrong password: an account whose hash is damaged is an account.
const fn is_refusal(error: PasswordError) -> bool {
    matches!(error, PasswordError::TooLong | PasswordError::StoredHash)
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Refused => Self::new(Code::InvalidToken).with_detail(error.to_string()),
            LoginError::Limited { retry_after } => {
                Self::new(Code::RateLimited).with_retry_after(retry_after)
            }
            LoginError::Unavailable(error) => error.into(),
        }
    }
}
