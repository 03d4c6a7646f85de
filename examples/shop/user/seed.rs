//! The accounts of the demonstration.

use msf_auth::Passwords;
use msf_core::{BoxError, clock::WallClock, config::Secret};

use super::{domain::Email, store};
use crate::{
    db::{Db, DbError},
    identity::Role,
    timestamp::Timestamp,
};

/// Name, address, password, role. The passwords are printed by the shop; there is nothing to keep secret.
pub(crate) const ACCOUNTS: [(&str, &str, &str, Role); 2] = [
    (
        "Ada Lovelace",
        "ada@example.com",
        "lovelace-1815",
        Role::Customer,
    ),
    (
        "Grace Hopper",
        "grace@example.com",
        "hopper-1906",
        Role::Staff,
    ),
];

/// Adds the accounts to an empty database.
///
/// # Errors
///
/// When a password cannot be hashed or a row not be written.
pub(crate) async fn seed(db: &Db, passwords: &Passwords, clock: WallClock) -> Result<(), BoxError> {
    if !db.read::<_, DbError>(store::is_empty).await? {
        return Ok(());
    }
    for (name, address, password, role) in ACCOUNTS {
        let hash = passwords.hash(Secret::new(password.to_owned())).await?;
        let now = Timestamp::now(clock);
        let email = Email::stored(address.to_owned());
        db.write::<_, DbError>(move |tx| store::create(tx, name, &email, &hash, role, now))
            .await?;
    }
    Ok(())
}
