//! Where a registration stands.

use crate::registry::NotRegistered;

/// Where a registration stands, as far as the registry has confirmed.
///
/// ```
/// use msf_core::name::{InstanceId, ServiceName};
/// use msf_registry::{Instance, Registry, Standing, backend::memory::MemoryRegistry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::new(MemoryRegistry::new());
/// let payment = ServiceName::new("payment")?;
/// let id = InstanceId::random(&payment);
/// let here = registry.register(Instance::new(payment, id, "127.0.0.1:8080".parse()?));
/// assert!(matches!(here.standing(), Standing::Pending));
/// here.registered().await?;
/// assert!(matches!(here.standing(), Standing::Registered));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Standing {
    /// Never registered so far.
    Pending,
    /// Registered: the lease lives.
    Registered,
    /// Registered before; the registry has forgotten it, or has not answered for a whole time to live. It is tried
    /// again until it succeeds.
    Lost,
    /// Refused for a reason that will not go away.
    Refused(NotRegistered),
    /// Deregistered, or about to be.
    Ended,
}
