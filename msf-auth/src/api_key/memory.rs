//! Keys in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{ApiKeyId, ApiKeyRecord, ApiKeyStore};
use crate::store::StoreError;

/// Keeps keys in memory, for tests and for keys that are read from a configuration. Cloning shares them.
///
/// It takes 100 000 keys by default, and then answers [`StoreError::Full`].
#[derive(Clone, Debug)]
pub struct MemoryApiKeyStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    keys_max: usize,
    keys: Mutex<HashMap<ApiKeyId, ApiKeyRecord>>,
}

impl MemoryApiKeyStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(KEYS_MAX)
    }

    /// An empty store that takes so many keys.
    #[must_use]
    pub fn with_capacity(keys_max: usize) -> Self {
        Self(Arc::new(Shared {
            keys_max,
            keys: Mutex::default(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApiKeyId, ApiKeyRecord>> {
        // Each change is one of one entry.
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryApiKeyStore {
    fn default() -> Self {
        Self::new()
    }
}

/// About 40 MB.
const KEYS_MAX: usize = 100_000;

#[async_trait]
impl ApiKeyStore for MemoryApiKeyStore {
    async fn insert(&self, record: ApiKeyRecord) -> Result<bool, StoreError> {
        let mut keys = self.lock();
        if keys.contains_key(&record.id) {
            return Ok(false);
        }
        if keys.len() >= self.0.keys_max {
            return Err(StoreError::Full);
        }
        keys.insert(record.id, record);
        Ok(true)
    }

    async fn fetch(&self, id: ApiKeyId) -> Result<Option<ApiKeyRecord>, StoreError> {
        Ok(self.lock().get(&id).cloned())
    }

    async fn revoke(&self, id: ApiKeyId, now_s: u64) -> Result<bool, StoreError> {
        let mut keys = self.lock();
        let Some(record) = keys.get_mut(&id) else {
            return Ok(false);
        };
        record.revoked_s.get_or_insert(now_s);
        Ok(true)
    }

    async fn used(&self, id: ApiKeyId, now_s: u64) -> Result<(), StoreError> {
        if let Some(record) = self.lock().get_mut(&id) {
            record.used_s = record.used_s.max(Some(now_s));
        }
        Ok(())
    }

    async fn list(&self, subject: &str, limit: usize) -> Result<Vec<ApiKeyRecord>, StoreError> {
        let keys = self.lock();
        let own = keys.values().filter(|record| &*record.subject == subject);
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_unstable_by_key(|record| (std::cmp::Reverse(record.created_s), record.id));
        own.truncate(limit);
        Ok(own)
    }

    async fn remove_before(&self, time_s: u64) -> Result<usize, StoreError> {
        let mut keys = self.lock();
        let before = keys.len();
        let is_past = |time: Option<u64>| time.is_some_and(|time| time < time_s);
        keys.retain(|_, record| !is_past(record.revoked_s) && !is_past(record.expires_s));
        Ok(before - keys.len())
    }
}
