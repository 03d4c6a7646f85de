//! Passwords: hashed with argon2id, a bounded number at a time.
//!
//! A hash takes 19 MiB and tens of milliseconds of a core, on purpose. [`Passwords`] therefore runs as many at
//! once as there are cores, lets a bounded number wait for a bounded time, and refuses the rest with 503: a
//! flood of logins costs its senders more than the service. Hashing happens on blocking threads, so it delays
//! no other request.
//!
//! A login with an unknown name is as slow as one with a wrong password: pass `None` as the stored hash.
//!
//! ```
//! use msf_auth::{PasswordConfig, Passwords};
//! use msf_core::config::Secret;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! let passwords = Passwords::new(PasswordConfig::default())?;
//! let stored = passwords.hash(Secret::new("lovelace-1815".into())).await?;
//! assert!(stored.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
//!
//! let outcome = passwords.verify(Secret::new("lovelace-1815".into()), Some(stored)).await?;
//! assert!(outcome.matches && outcome.rehash.is_none());
//! let unknown = passwords.verify(Secret::new("lovelace-1815".into()), None).await?;
//! assert!(!unknown.matches);
//! # Ok(())
//! # }
//! ```
//!
//! # Which passwords
//!
//! [`PasswordRules`] say which ones may be chosen: by length, by what is guessed first, by what is known about the
//! account. How often somebody may guess is [`login`](crate::login)'s, and its `Logins` put all of it together.
//!
//! A password is hashed in Normalization Form C, so that it is the same from every keyboard. What was hashed as it came,
//! before that or elsewhere, still matches.
//!
//! # Hashes of yesterday
//!
//! A hash that was made with other settings, another [`Pepper`] or by another system ([`LegacyHash`]) gives a new one
//! when its password is right, in the same turn: [`Outcome::rehash`]. Store it by compare-and-set, so that it cannot undo
//! a change of the password that happened meanwhile:
//!
//! ```sql
//! UPDATE users SET password = :rehash WHERE id = :id AND password = :the_hash_that_was_compared
//! ```
//!
//! A wrong password takes the time of one hash of today's settings, whether the account exists or not. There are two
//! exceptions: hashes with other settings, and those of other systems, take their own time. Until their owners have
//! logged in, their accounts can be told from others.
//!
//! # Cancel safety
//!
//! A call that is dropped while it waits gives its place back. One that is dropped while it hashes keeps its
//! place until the hash is done, since a blocking thread cannot be stopped; nothing else remains of it.

mod blocklist;
mod builder;
mod common;
mod config;
mod error;
mod hash;
mod hashing;
mod legacy;
mod metrics;
mod normal;
mod passwords;
mod pepper;
mod rules;

pub(crate) use self::metrics::{OPERATIONS, SECONDS, WAITING};
pub use self::{
    blocklist::{Blocklist, BlocklistError, FileBlocklist},
    builder::PasswordsBuilder,
    common::CommonPasswords,
    config::PasswordConfig,
    error::{InvalidPasswordConfig, PasswordError},
    hash::PasswordHash,
    legacy::{LegacyHash, Pbkdf2},
    passwords::{Outcome, Passwords},
    pepper::{InvalidPepper, Pepper},
    rules::{PasswordRules, WeakPassword},
};
