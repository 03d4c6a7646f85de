//! What a backend can do.

use std::time::Duration;

/// What a backend can do, so that the drivers and the conformance suite ask no more of it.
///
/// ```
/// use std::time::Duration;
/// use msf_registry::backend::{Capabilities, Consistency};
///
/// let etcd = Capabilities::new().consistency(Consistency::Strong);
/// assert!(etcd.watch && etcd.leases);
/// let dns = Capabilities::new().without_leases().polled(Duration::from_secs(5));
/// assert!(!dns.watch && !dns.leases);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether [`next`](crate::Discovery::next) waits until something changes. Without, it answers at once and is
    /// asked every [`poll_interval`](Self::poll_interval).
    pub watch: bool,
    /// Whether instances can register. Without, [`Registrar`](crate::Registrar) refuses.
    pub leases: bool,
    /// What a reader may see.
    pub consistency: Consistency,
    /// How often [`next`](crate::Discovery::next) is asked when it does not wait, give or take 10 %.
    pub poll_interval: Duration,
}

/// What readers of a backend may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Consistency {
    /// Who reads after a write was acknowledged sees it.
    Strong,
    /// Who reads after a write was acknowledged sees it some time later.
    #[default]
    Eventual,
}

impl Capabilities {
    /// Waits for changes, keeps leases, eventually consistent.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            watch: true,
            leases: true,
            consistency: Consistency::Eventual,
            poll_interval: Duration::from_secs(5),
        }
    }

    /// It does not wait for changes: it is asked so often.
    #[must_use]
    pub const fn polled(mut self, interval: Duration) -> Self {
        self.watch = false;
        self.poll_interval = interval;
        self
    }

    /// Instances cannot register with it.
    #[must_use]
    pub const fn without_leases(mut self) -> Self {
        self.leases = false;
        self
    }

    /// What its readers may see.
    #[must_use]
    pub const fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::new()
    }
}
