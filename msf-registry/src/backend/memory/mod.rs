//! A registry in the memory of this process.
//!
//! It serves one process (tests, everything in one binary), and it is what
//! [`RegistryServer`](crate::server::RegistryServer) serves to others.
//!
//! ```
//! use std::time::Duration;
//! use msf_core::name::{InstanceId, ServiceName};
//! use msf_registry::{Discovery, Instance, Registrar, backend::memory::MemoryRegistry};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = MemoryRegistry::new();
//! let payment = ServiceName::new("payment")?;
//! let instance = Instance::new(payment.clone(), InstanceId::new("p-1")?, "127.0.0.1:80".parse()?);
//!
//! let lease = registry.put(&instance, Duration::from_secs(15)).await?;
//! assert_eq!(registry.fetch(&payment).await?.instances().len(), 1);
//! registry.remove(&lease).await?;
//! assert!(registry.fetch(&payment).await?.instances().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # Leases
//!
//! A lease ends exactly when its time to live is over, unless the registry [preserves
//! itself](SelfPreservation). There is no sweeping task: whoever looks at a service sees it without what has
//! expired, and whoever waits for a change wakes at the next expiry.
//!
//! # Authority
//!
//! | a list is | when |
//! |---|---|
//! | [partial](crate::Authority::Partial) | during the warm-up |
//! | [complete](crate::Authority::Complete) | for 30 s after a lease of the service ran out, and after the registry began or its warm-up ended: instances of an earlier life may be missing. Not so an empty list of a service whose instances all came and deregistered |
//! | [explicit](crate::Authority::Explicit) | otherwise: whoever left lately has deregistered |
//!
//! # Warm-up
//!
//! A registry that starts with an empty memory where instances are already running knows less than
//! its callers. For [`MemoryRegistryBuilder::warm_up`] its snapshots are not authoritative, so callers
//! add what it lists to what they have instead of forgetting what has not renewed yet.
//!
//! # One id, one process
//!
//! A registration takes the place of one with the same id; at another address it is a restart elsewhere. If
//! the one that was displaced registers again while its successor renews, two processes have the same id:
//! it is refused with [`RegistryError::Taken`](crate::RegistryError::Taken) until the other one stops, so that they do not
//! take turns.
//!
//! # What operators say
//!
//! [`MemoryRegistry::set_override`] counts instead of the instance's own status, as
//! [`Member::status`](crate::Member::status) says. It outlives the registration by an
//! hour, so that a restart does not undo it.

mod builder;
mod metrics;
mod overrides;
mod preservation;
#[cfg(feature = "http")]
mod pulse;
mod registry;
mod service;
mod state;
#[cfg(test)]
mod tests;
mod view;
mod wake;

#[cfg(feature = "http")]
pub(crate) use self::view::{Delta, View};
pub use self::{
    builder::MemoryRegistryBuilder,
    preservation::{InvalidSelfPreservation, SelfPreservation},
    registry::{MemoryRegistry, UnknownInstance},
};
