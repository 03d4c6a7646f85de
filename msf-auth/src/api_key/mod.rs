//! Keys for programs that cannot fetch tokens.
//!
//! A key is `msf_<environment>_<id>_<secret>`: a prefix that scanners of leaked secrets look for, an id by which it is
//! found, and 160 random bits with a checksum. Only the SHA-256 is stored. [`ApiKeys`] make keys, check them and take
//! them back; a key that is right gives a [`Principal`](crate::Principal), so policies do not know the difference.
//!
//! ```
//! use msf_auth::api_key::{ApiKeys, MemoryApiKeyStore, NewApiKey};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! let keys = ApiKeys::builder("https://user.shop", MemoryApiKeyStore::new()).build()?;
//! let made = keys.create(NewApiKey::service("nightly-report").scopes(["orders:read"])).await?;
//! assert!(made.key.expose().starts_with("msf_live_")); // show it to its owner now; nobody can later
//!
//! let caller = keys.verify(made.key.expose()).await?;
//! assert_eq!(caller.subject(), "nightly-report");
//! assert!(caller.has_scope("orders:read"));
//!
//! keys.revoke(made.record.id).await?;
//! assert!(keys.verify(made.key.expose()).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! In requests a key comes as `Authorization: Bearer msf_...` or `x-api-key: msf_...`. An
//! [`AuthLayer`](crate::AuthLayer) takes keys beside tokens when it is [told
//! so](crate::layer::AuthLayerBuilder::api_keys), and so does a `SecureRouter`.
//!
//! # The form
//!
//! `msf_[a-z0-9]{1,16}_[a-z2-7]{16}_[a-z2-7]{39}`. The last 7 characters are a checksum over what is before them: 5 bits
//! each of the first bytes of its SHA-256. A text without it is refused before the store is asked.
//!
//! # What a key does not follow
//!
//! [Revocations](crate::revocation) are of tokens. Whoever closes an account revokes its keys too, by [`ApiKeys::list`] and
//! [`ApiKeys::revoke`]; and a key keeps the scopes that it was made with when its owner loses them.
//!
//! # When it is the wrong tool
//!
//! A key is valid until somebody takes it back, and whoever has it is its owner. For people, and for services that can
//! fetch tokens, use those: they end by themselves.
//!
//! # Cancel safety
//!
//! Every call may be dropped. A key whose making was dropped may be in the store; nobody knows it, so it is of no use.

mod error;
mod header;
mod keys;
mod memory;
mod metrics;
mod record;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
#[cfg(test)]
mod tests;
pub(crate) mod text;

pub(crate) use self::metrics::API_KEYS;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteApiKeyStore;
pub use self::{
    error::{ApiKeyError, ApiKeyRefusal, InvalidApiKeys},
    header::{API_KEY_HEADER, api_key},
    keys::{ApiKeys, ApiKeysBuilder, CreatedApiKey},
    memory::MemoryApiKeyStore,
    record::{ApiKeyRecord, NewApiKey},
    store::ApiKeyStore,
    text::ApiKeyId,
};
