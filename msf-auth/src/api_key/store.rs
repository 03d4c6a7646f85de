//! Where keys are kept.

use async_trait::async_trait;

use super::{ApiKeyId, ApiKeyRecord};
use crate::store::StoreError;

/// Keeps what is known about API keys; never the keys.
///
/// A call that is dropped has either happened or not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` keeps no API keys",
    note = "implement `msf_auth::api_key::ApiKeyStore`, or use `msf_auth::api_key::MemoryApiKeyStore`"
)]
#[async_trait]
pub trait ApiKeyStore: Send + Sync + 'static {
    /// Adds a key, unless the id is there: then `false`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    async fn insert(&self, record: ApiKeyRecord) -> Result<bool, StoreError>;

    /// The key with an id, also when it is revoked or over.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    async fn fetch(&self, id: ApiKeyId) -> Result<Option<ApiKeyRecord>, StoreError>;

    /// Marks a key as revoked at a time; one that is revoked keeps its time. Whether there is such a key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    async fn revoke(&self, id: ApiKeyId, now_s: u64) -> Result<bool, StoreError>;

    /// Notes that a key was used at a time; never an earlier one than before.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    async fn used(&self, id: ApiKeyId, now_s: u64) -> Result<(), StoreError>;

    /// The keys of a subject, latest first, also those that are revoked or over.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    async fn list(&self, subject: &str, limit: usize) -> Result<Vec<ApiKeyRecord>, StoreError>;

    /// Removes keys that were revoked or over before a time; how many.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    async fn remove_before(&self, time_s: u64) -> Result<usize, StoreError>;
}
