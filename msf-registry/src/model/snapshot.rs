//! What a registry knows about one service at one moment.

use std::{fmt, sync::Arc};

use msf_core::name::ServiceName;
use serde::{Deserialize, Serialize};

use super::{Instance, Status};
use crate::routing::effective;

/// The instances of one service at one moment.
///
/// ```
/// use msf_core::name::ServiceName;
/// use msf_registry::{Authority, Cursor, Snapshot};
///
/// let payment = ServiceName::new("payment")?;
/// let nobody = Snapshot::new(payment, Cursor::new(1, 7), Authority::Complete, []);
/// assert!(nobody.instances().is_empty());
/// # Ok::<(), msf_core::name::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    service: ServiceName,
    cursor: Cursor,
    authority: Authority,
    instances: Arc<[Member]>,
}

/// An instance as the registry lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// What the instance says about itself.
    pub instance: Arc<Instance>,
    /// What health checks beside the registry say about it.
    pub health: Health,
    /// What an operator says in its place.
    pub operator_status: Option<Status>,
}

/// How far a registry vouches for a list.
///
/// An empty list is believed at once only when it is [`Explicit`](Self::Explicit): all instances going at
/// once is more often a defect of the registry than the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Authority {
    /// Instances may be missing: the registry has just started, and some have yet to renew. Callers only add.
    Partial,
    /// Nobody is missing, as far as the registry knows. Some may have gone because their leases ran out.
    Complete,
    /// Nobody is missing, and whoever has gone lately has said so, or an operator has.
    Explicit,
}

/// What active health checks say about an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Health {
    /// It answers its checks.
    Healthy,
    /// It fails its checks, and is called only when too few others work.
    Unhealthy,
    /// It was not checked yet, or is not checked at all. It is picked: it holds a lease.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A position in the history of a registry.
///
/// The epoch names one life of the registry's memory: after a restart without memory it is another
/// one, and revisions of different epochs cannot be compared.
///
/// ```
/// use msf_registry::Cursor;
///
/// let cursor = Cursor::new(0xabc, 7);
/// assert_eq!((cursor.epoch(), cursor.revision()), (0xabc, 7));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    epoch: u64,
    revision: u64,
}

/// What [`Discovery::next`](crate::Discovery::next) saw.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// This is the state now. It may equal the one before: a wake-up is no promise of a change.
    Changed(Snapshot),
    /// Nothing happened while it waited; the registry is there.
    Unchanged,
}

impl Snapshot {
    /// A snapshot, as a backend gives it out.
    #[must_use]
    pub fn new(
        service: ServiceName,
        cursor: Cursor,
        authority: Authority,
        instances: impl Into<Arc<[Member]>>,
    ) -> Self {
        Self {
            service,
            cursor,
            authority,
            instances: instances.into(),
        }
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &ServiceName {
        &self.service
    }

    /// Where in the registry's history it was taken.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Whether the registry vouches that nobody is missing. A registry that has just started does not:
    /// its instances have yet to renew.
    #[must_use]
    pub const fn is_authoritative(&self) -> bool {
        !matches!(self.authority, Authority::Partial)
    }

    /// How far the registry vouches for it.
    #[must_use]
    pub const fn authority(&self) -> Authority {
        self.authority
    }

    /// The instances, sorted by id.
    #[must_use]
    pub fn instances(&self) -> &[Member] {
        &self.instances
    }
}

impl Member {
    /// An instance and what is known about its health.
    #[must_use]
    pub const fn new(instance: Arc<Instance>, health: Health) -> Self {
        Self {
            instance,
            health,
            operator_status: None,
        }
    }

    /// Sets what an operator says in its place.
    #[must_use]
    pub const fn operator_status(mut self, status: Option<Status>) -> Self {
        self.operator_status = status;
        self
    }

    /// What an operator says about it, else what it says itself. That it is starting, drains or is down only it can
    /// know: then an operator can only say something worse.
    #[must_use]
    pub fn status(&self) -> Status {
        effective(self.instance.status, self.operator_status)
    }
}

impl Health {
    /// The word in JSON and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}

impl Cursor {
    /// A position.
    #[must_use]
    pub const fn new(epoch: u64, revision: u64) -> Self {
        Self { epoch, revision }
    }

    /// Which life of the registry's memory.
    #[must_use]
    pub const fn epoch(self) -> u64 {
        self.epoch
    }

    /// How many changes of that life.
    #[must_use]
    pub const fn revision(self) -> u64 {
        self.revision
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({:016x}:{})", self.epoch, self.revision)
    }
}
