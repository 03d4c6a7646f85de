//! How expensive a hash is, and how many may be under way.

use std::{num::NonZero, thread, time::Duration};

/// Settings of [`Passwords`](super::Passwords).
///
/// The defaults are one of the settings that OWASP's Password Storage Cheat Sheet lists for argon2id.
///
/// ```
/// use msf_auth::PasswordConfig;
///
/// let config = PasswordConfig { iterations: 3, ..PasswordConfig::default() };
/// assert_eq!(config.memory_kib, 19_456);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is written down with `..default()`"
)]
pub struct PasswordConfig {
    /// Memory of one hash, in KiB; default 19 456 (19 MiB).
    pub memory_kib: u32,
    /// Passes over the memory; default 2.
    pub iterations: u32,
    /// Lanes of one hash; default 1.
    pub parallelism: u32,
    /// Hashes at once; default the number of cores. Memory is bounded by this times `memory_kib`.
    pub concurrency: usize,
    /// Calls that may wait for their turn; default 64, which a core works off in about two seconds.
    pub queue: usize,
    /// How long a call may wait for its turn; default 2 s, after which a person tries again anyway.
    pub wait_max: Duration,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            concurrency: thread::available_parallelism().map_or(1, NonZero::get),
            queue: 64,
            wait_max: Duration::from_secs(2),
        }
    }
}
