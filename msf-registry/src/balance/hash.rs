//! The hash that places keys and instances.
//!
//! xxHash64 is what Envoy and gRPC place with, is fast on short keys and spreads well. It is **not** keyed: who may
//! choose both the key of a call and to which instances it goes can send all of it to one instance.

use std::borrow::Cow;

use xxhash_rust::xxh64::xxh64;

use crate::model::Instance;

/// The hash of the key of a call: xxHash64, seed 0.
///
/// ```
/// use msf_registry::balance::hash;
///
/// assert_eq!(hash::of(b""), 0xef46_db37_51d8_e999);
/// assert_ne!(hash::of(b"user-1"), hash::of(b"user-2"));
/// ```
#[must_use]
#[inline]
pub fn of(key: &[u8]) -> u64 {
    xxh64(key, 0)
}

/// xxHash64 under a seed: another function for each seed.
#[must_use]
#[inline]
pub fn seeded(key: &[u8], seed: u64) -> u64 {
    xxh64(key, seed)
}

/// What an instance is placed by: the metadata entry `hash_key` if it has one, else its address as text.
///
/// Not the id: that is another one after each restart, which would move the keys of an instance that is back where
/// it was. Instances whose address changes and that keep what they own, on a disk say, set `hash_key`.
///
/// ```
/// use msf_core::name::{InstanceId, ServiceName};
/// use msf_registry::{Instance, balance::hash};
///
/// let cache = ServiceName::new("cache")?;
/// let mut instance = Instance::new(cache.clone(), InstanceId::random(&cache), "10.0.0.1:8080".parse()?);
/// assert_eq!(hash::key_of(&instance), "10.0.0.1:8080");
/// instance.metadata.insert("hash_key".to_owned(), "cache-0".to_owned());
/// assert_eq!(hash::key_of(&instance), "cache-0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn key_of(instance: &Instance) -> Cow<'_, str> {
    match instance.metadata.get("hash_key") {
        Some(key) => Cow::Borrowed(key),
        None => Cow::Owned(instance.addr().to_string()),
    }
}
