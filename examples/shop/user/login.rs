//! Logging in: the same answer, in the same time, for a wrong password and for nobody.

use msf_auth::{PasswordError, Passwords, password::PasswordHash};
use msf_core::{
    config::Secret,
    problem::{Code, Problem},
};
use msf_resilience::rate_limit::RateLimiter;

use super::{
    domain::{Email, User},
    store::{self, Changes, Updated},
};
use crate::{
    db::{Db, DbError},
    ids::UserId,
    timestamp::Timestamp,
};

/// Checks who somebody is.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) db: Db,
    pub(crate) passwords: Passwords,
    /// By address, whether there is such an account or not.
    pub(crate) limiter: RateLimiter<Email>,
    /// By user, for those who have a token: whoever guesses without one must not use these up.
    pub(crate) confirmations: RateLimiter<UserId>,
}

impl Login {
    /// The user with this address and password.
    ///
    /// # Errors
    ///
    /// `rate_limited` after too many tries for the address, else `invalid_token` for every reason that
    /// lies in the address or the password.
    pub(crate) async fn check(
        &self,
        email: Email,
        password: Secret<String>,
        now: Timestamp,
    ) -> Result<User, Problem> {
        self.limiter.check(&email)?;
        let user = self
            .db
            .read::<_, DbError>(move |tx| store::by_email(tx, &email))
            .await?;
        self.compare(user, password, now).await
    }

    /// Whether this is the user's password, for what a token alone does not allow.
    ///
    /// # Errors
    ///
    /// `rate_limited` after too many tries for the user, else `invalid_token`.
    pub(crate) async fn confirm(
        &self,
        user: User,
        password: Secret<String>,
        now: Timestamp,
    ) -> Result<User, Problem> {
        self.confirmations.check(&user.id)?;
        self.compare(Some(user), password, now).await
    }

    async fn compare(
        &self,
        user: Option<User>,
        password: Secret<String>,
        now: Timestamp,
    ) -> Result<User, Problem> {
        let hash = user
            .as_ref()
            .map(|user| user.password.expose().clone().into());
        let outcome = match self.passwords.verify(password, hash).await {
            Err(PasswordError::TooLong) => return Err(refused()),
            outcome => outcome?,
        };
        let user = user.filter(|_| outcome.matches).ok_or_else(refused)?;
        match outcome.rehash {
            Some(hash) => self.rehash(user, hash, now).await,
            None => Ok(user),
        }
    }

    /// Stores the hash of today's settings, unless it has changed meanwhile; the user as it then is.
    async fn rehash(
        &self,
        user: User,
        hash: PasswordHash,
        now: Timestamp,
    ) -> Result<User, Problem> {
        let changes = Changes {
            hash: Some(hash.into()),
            ..Changes::default()
        };
        let read = user.clone();
        let updated = self
            .db
            .write::<_, DbError>(move |tx| store::update(tx, &read, &changes, now))
            .await?;
        Ok(match updated {
            Updated::Done(user) => user,
            Updated::EmailTaken | Updated::Gone => user,
        })
    }
}

fn refused() -> Problem {
    Problem::new(Code::InvalidToken).with_detail("the address or the password is wrong")
}
