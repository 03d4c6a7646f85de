//! Where registrations are kept: two object-safe traits and what implements them.
//!
//! A backend is plain input and output. Renewing in time, trying again, keeping the last known good
//! set and recovering a lost position are done once for all backends, by the drivers behind
//! [`Registry`](crate::Registry).

mod capabilities;
#[cfg(feature = "consul")]
pub mod consul;
#[cfg(feature = "dns")]
pub mod dns;
#[cfg(feature = "etcd")]
pub mod etcd;
#[cfg(feature = "file")]
pub mod file;
pub mod fixed;
#[cfg(feature = "http")]
pub mod http;
pub mod memory;
mod read_only;
#[cfg(any(feature = "consul", feature = "etcd", feature = "http"))]
mod remote;
mod renew;

use std::time::Duration;

use async_trait::async_trait;
use msf_core::name::ServiceName;

pub use self::capabilities::{Capabilities, Consistency};
use crate::{
    error::RegistryError,
    model::{Change, Cursor, Instance, Lease, Renewal, Snapshot},
};

/// The side of a registry that instances use.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a registry that instances can register with",
    note = "use one of `msf_registry::backend`, or implement `msf_registry::Registrar`"
)]
pub trait Registrar: Send + Sync + 'static {
    /// Lists an instance for `ttl`. An instance of the same id is replaced and its lease ends.
    ///
    /// # Errors
    ///
    /// [`RegistryError`]; one that is [permanent](RegistryError::is_permanent) is not tried again.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the registration may or may not have happened; what happened expires.
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError>;

    /// Prolongs a lease by its time to live. That it is gone is an answer and no error: the instance registers again.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when nobody knows what became of the lease.
    async fn renew(&self, lease: &Lease) -> Result<Renewal, RegistryError>;

    /// Prolongs several leases: one answer for each, in their order. Where answers are missing at the end, those leases
    /// were not reached and are tried again.
    ///
    /// Unless a backend has a call for it, each is [renewed](Self::renew) by itself, 16 at a time.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when none was renewed.
    ///
    /// # Cancel safety
    ///
    /// Dropped, some may have been prolonged; prolonging them again does no harm.
    async fn renew_all(&self, leases: &[Lease]) -> Result<Vec<Renewal>, RegistryError> {
        renew::each(leases, |lease| self.renew(lease)).await
    }

    /// Ends a lease. One that is gone already is no error.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when the lease may live on; it then expires.
    async fn remove(&self, lease: &Lease) -> Result<(), RegistryError>;
}

/// The side of a registry that callers use.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a registry that instances can be found in",
    note = "use one of `msf_registry::backend`, or implement `msf_registry::Discovery`"
)]
pub trait Discovery: Send + Sync + 'static {
    /// The instances of a service now. A service that nobody registered for has none.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when it is not known who they are. Callers keep the list that they have.
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError>;

    /// Waits until something may have changed since `after`, or for as long as the backend waits at
    /// most.
    ///
    /// # Errors
    ///
    /// [`RegistryError::CursorLost`] when `after` cannot be continued from; the caller fetches again.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing: the next call with the same `after` sees the same change.
    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError>;

    /// The services that have an instance, sorted.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when they are not known.
    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError>;

    /// What it can do.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

/// Both sides of a registry; whatever is both is one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a whole registry",
    note = "a backend implements both `Registrar` and `Discovery`"
)]
pub trait ServiceRegistry: Registrar + Discovery {}

impl<R: Registrar + Discovery> ServiceRegistry for R {}
