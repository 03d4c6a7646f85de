//! The right to be listed, for a while.

use std::{fmt, sync::Arc, time::Duration};

use msf_core::name::{InstanceId, ServiceName};

/// The right of an instance to be listed until its time to live is over. Made by
/// [`Registrar::put`](crate::Registrar::put).
///
/// The token says which registration is meant: a process that was replaced under its own id can
/// neither renew nor end the registration of its successor. That guards against mix-ups and not against
/// malice: it is no secret, and a backend may draw it from a generator that is fast and can be guessed. Who may
/// register at all is for the registry's access control to say. `Debug` leaves it out.
///
/// ```
/// use std::time::Duration;
/// use msf_core::name::{InstanceId, ServiceName};
/// use msf_registry::Lease;
///
/// let service = ServiceName::new("payment")?;
/// let lease = Lease::new(service, InstanceId::new("p-1")?, "7f3a", Duration::from_secs(15));
/// assert!(!format!("{lease:?}").contains("7f3a"));
/// # Ok::<(), msf_core::name::InvalidName>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Lease {
    service: ServiceName,
    instance: InstanceId,
    token: Arc<str>,
    ttl: Duration,
}

/// What a registry says to a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// The lease lives on.
    Renewed {
        /// How long, from now.
        ttl: Duration,
    },
    /// The registry does not know the lease: it expired, or the registry lost its memory. Register again.
    Gone,
}

impl Lease {
    /// A lease, as a backend gives it out.
    #[must_use]
    pub fn new(
        service: ServiceName,
        instance: InstanceId,
        token: impl Into<Arc<str>>,
        ttl: Duration,
    ) -> Self {
        Self {
            service,
            instance,
            token: token.into(),
            ttl,
        }
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &ServiceName {
        &self.service
    }

    /// The instance that it keeps listed.
    #[must_use]
    pub const fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// The backend's own word for it.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// How long it lives from each renewal; a registry may grant another time than was asked for.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("service", &self.service)
            .field("instance", &self.instance)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}
