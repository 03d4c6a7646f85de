//! The limits of a registry in memory.

use std::time::Duration;

use super::{preservation::SelfPreservation, registry::MemoryRegistry};

/// Builds a [`MemoryRegistry`].
///
/// ```
/// use std::time::Duration;
/// use msf_registry::backend::memory::MemoryRegistry;
///
/// let registry = MemoryRegistry::builder()
///     .instances_max(1_000)
///     .warm_up(Duration::from_secs(3))
///     .build();
/// assert!(!registry.is_warm());
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct MemoryRegistryBuilder {
    pub(super) instances_max: usize,
    pub(super) ttl_min: Duration,
    pub(super) ttl_max: Duration,
    pub(super) wait_max: Duration,
    pub(super) warm_up: Option<Duration>,
    pub(super) preservation: Option<SelfPreservation>,
}

impl Default for MemoryRegistryBuilder {
    fn default() -> Self {
        Self {
            instances_max: 100_000,
            ttl_min: Duration::from_millis(100),
            ttl_max: Duration::from_secs(600),
            wait_max: Duration::from_secs(30),
            warm_up: None,
            preservation: None,
        }
    }
}

impl MemoryRegistryBuilder {
    /// At most this many instances, over all services; 100 000 unless set, which is about 100 MB
    /// of usual ones and ten times as much of the largest that are taken.
    pub const fn instances_max(mut self, instances: usize) -> Self {
        self.instances_max = instances;
        self
    }

    /// Leases may live this long at least and at most; 100 ms and 10 min unless set. A shorter one
    /// makes more renewals than changes, a longer one keeps the dead listed.
    pub const fn ttl_bounds(mut self, min: Duration, max: Duration) -> Self {
        self.ttl_min = min;
        self.ttl_max = max;
        self
    }

    /// How long [`next`](crate::Discovery::next) waits for a change at most; 30 s unless set, below
    /// the 60 s after which proxies commonly cut a silent connection.
    pub const fn wait_max(mut self, wait: Duration) -> Self {
        self.wait_max = wait;
        self
    }

    /// For how long its snapshots are not authoritative; zero unless set, and 15 s, the usual time to
    /// live, if a [`RegistryServer`](crate::server::RegistryServer) serves it. It should be the time to
    /// live that the instances ask for.
    pub const fn warm_up(mut self, warm_up: Duration) -> Self {
        self.warm_up = Some(warm_up);
        self
    }

    /// When leases that run out are not believed; never unless set, and by the usual rules if a
    /// [`RegistryServer`](crate::server::RegistryServer) serves it: then there is a network that can fail.
    pub const fn self_preservation(mut self, preservation: SelfPreservation) -> Self {
        self.preservation = Some(preservation);
        self
    }

    /// The registry, whose warm-up begins now.
    #[must_use]
    pub fn build(self) -> MemoryRegistry {
        MemoryRegistry::with(self)
    }
}
