//! The health of one service: where in its life it is, and its checks.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU8, Ordering},
    },
};

use super::{
    builder::{HealthBuilder, Identity},
    check::Check,
    error::AddCheckError,
    flight::Flight,
    join::join_all,
    report::{CheckReport, Report},
};

/// How many checks a [`Health`] takes: a service with more has other worries, and each is asked at
/// the same time as all others.
pub const MAX_CHECKS: usize = 64;

/// Where in its life a service is. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever routes traffic has to handle every one of them"
)]
pub enum Status {
    /// Not ready yet.
    Starting = 0,
    /// Takes traffic as long as its hard checks pass.
    Ready = 1,
    /// Shutting down: not ready, whatever the checks say, and never again.
    Draining = 2,
}

impl Status {
    /// `starting`, `ready` or `draining`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The health of a service. Clones share it.
///
/// ```
/// use msf_core::health::{Health, Status};
///
/// let health = Health::builder("orders").version("1.4.2").build();
/// assert_eq!(health.status(), Status::Starting);
///
/// health.set_ready();
/// health.set_draining();
/// health.set_ready();
/// assert_eq!(health.status(), Status::Draining);
/// ```
#[derive(Clone, Debug)]
pub struct Health {
    shared: Arc<Shared>,
}

impl Health {
    /// A service that is starting and has no checks.
    #[must_use]
    pub fn new(service_id: impl Into<String>) -> Self {
        Self::builder(service_id).build()
    }

    /// As [`new`](Self::new), with more to say about the service.
    pub fn builder(service_id: impl Into<String>) -> HealthBuilder {
        HealthBuilder::new(service_id.into())
    }

    /// Adds a check, at any time; the next probe asks it.
    ///
    /// # Errors
    ///
    /// [`AddCheckError`] if the name is malformed or taken, or there are [`MAX_CHECKS`] already.
    pub fn add(&self, check: Check) -> Result<(), AddCheckError> {
        let name = &*check.name;
        let owned = || name.to_owned();
        let visible = name.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || name.len() > 64 || !visible {
            return Err(AddCheckError::InvalidName { name: owned() });
        }
        let mut flights = self
            .shared
            .flights
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if flights.iter().any(|flight| *flight.check().name == *name) {
            return Err(AddCheckError::Duplicate { name: owned() });
        }
        if flights.len() >= MAX_CHECKS {
            return Err(AddCheckError::TooMany { name: owned() });
        }
        flights.push(Arc::new(Flight::new(check)));
        Ok(())
    }

    /// Where in its life the service is, without asking any check.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.shared.status.load(Ordering::Acquire) {
            0 => Status::Starting,
            1 => Status::Ready,
            _ => Status::Draining,
        }
    }

    /// The service may take traffic. Does nothing once it drains.
    pub fn set_ready(&self) {
        self.advance(Status::Ready);
    }

    /// The service shuts down: probes fail from now on.
    pub fn set_draining(&self) {
        self.advance(Status::Draining);
    }

    /// Asks every check at the same time and sums up.
    ///
    /// Fresh results are taken from the cache and a run in progress is shared. A draining service
    /// asks nothing: the answer is known, and its dependencies may be gone already.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves runs to the other probes that wait for them, and stops those for
    /// which nobody waits.
    pub async fn report(&self) -> Report {
        if self.status() == Status::Draining {
            return Report::new(Status::Draining, Vec::new());
        }
        let flights = self
            .shared
            .flights
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let runs = flights.into_iter().map(|flight| async move {
            let finding = flight.result().await;
            CheckReport::new(&flight, finding)
        });
        let checks = join_all(runs).await;
        // Read again: the service may have begun to drain while the checks ran.
        Report::new(self.status(), checks)
    }

    pub(super) fn with_identity(identity: Identity) -> Self {
        let shared = Shared {
            identity,
            status: AtomicU8::new(Status::Starting as u8),
            flights: RwLock::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    fn advance(&self, to: Status) {
        let before = self.shared.status.fetch_max(to as u8, Ordering::AcqRel);
        if before < to as u8 {
            tracing::info!(target: "msf_core::health", status = to.as_str(), "service status changed");
        }
    }
}

#[derive(Debug)]
struct Shared {
    identity: Identity,
    status: AtomicU8,
    flights: RwLock<Vec<Arc<Flight>>>,
}
