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
//! assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
//!
//! let outcome = passwords.verify(Secret::new("lovelace-1815".into()), Some(stored)).await?;
//! assert!(outcome.matches && !outcome.rehash);
//! let unknown = passwords.verify(Secret::new("lovelace-1815".into()), None).await?;
//! assert!(!unknown.matches);
//! # Ok(())
//! # }
//! ```
//!
//! # What is the caller's
//!
//! The rule for new passwords (length, lists of known ones), Unicode normalization, and limits by account and
//! address: this module only bounds the whole.
//!
//! # Cancel safety
//!
//! A call that is dropped while it waits gives its place back. One that is dropped while it hashes keeps its
//! place until the hash is done, since a blocking thread cannot be stopped; nothing else remains of it.

mod config;
mod error;
mod hashing;
mod metrics;
mod passwords;

pub(crate) use self::metrics::{OPERATIONS, SECONDS, WAITING};
pub use self::{
    config::PasswordConfig,
    error::{InvalidPasswordConfig, PasswordError},
    passwords::{Outcome, Passwords},
};
