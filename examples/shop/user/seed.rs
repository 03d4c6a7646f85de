//! The accounts of the demonstration.

use msf_core::{BoxError, clock::WallClock};

use super::{domain::Email, store};
use crate::{
    db::{Db, DbError},
    identity::Role,
    timestamp::Timestamp,
};

/// An account that everybody knows.
struct Account {
    name: &'static str,
    email: &'static str,
    /// Of a password that the shop prints, so there is nothing to keep secret. Hashed beforehand, since hashing
    /// is slow on purpose and the first start would wait for it.
    hash: &'static str,
    role: Role,
}

const ACCOUNTS: [Account; 2] = [
    // lovelace-1815
    Account {
        name: "Ada Lovelace",
        email: "ada@example.com",
        hash: "$argon2id$v=19$m=19456,t=2,p=1$3rJZ/qi3ggdazQT8DXXqSg$Z4iYG4hntYFP4lu+C9fwuUz5VuDsfwZcQhM+hFjl6Gs",
        role: Role::Customer,
    },
    // hopper-1906
    Account {
        name: "Grace Hopper",
        email: "grace@example.com",
        hash: "$argon2id$v=19$m=19456,t=2,p=1$GLvzYOGlAN3e9PuTOutKnQ$dqGbbEwFLym5J+UQytEjRvkdVVPNszlK+eS/liT+s5w",
        role: Role::Staff,
    },
];

/// Adds the accounts to an empty database.
///
/// # Errors
///
/// When a row cannot be written.
pub(crate) async fn seed(db: &Db, clock: WallClock) -> Result<(), BoxError> {
    if !db.read::<_, DbError>(store::is_empty).await? {
        return Ok(());
    }
    for account in ACCOUNTS {
        let now = Timestamp::now(clock);
        let email = Email::stored(account.email.to_owned());
        db.write::<_, DbError>(move |tx| {
            store::create(tx, account.name, &email, account.hash, account.role, now)
        })
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use msf_auth::{PasswordConfig, Passwords, password::PasswordHash};
    use msf_core::config::Secret;

    use super::*;

    #[tokio::test]
    async fn the_hashes_are_of_the_passwords_that_the_shop_prints_and_as_strong_as_new_ones() {
        let passwords = Passwords::new(PasswordConfig::default()).unwrap();
        for (account, password) in ACCOUNTS.iter().zip(["lovelace-1815", "hopper-1906"]) {
            let password = Secret::new(password.to_owned());
            let stored = Some(PasswordHash::new(account.hash));
            let outcome = passwords.verify(password, stored).await.unwrap();
            assert!(
                outcome.matches && outcome.rehash.is_none(),
                "{}",
                account.name
            );
        }
    }
}
