//! What a backend reads, in the hands of the suite.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use msf_core::name::{InstanceId, ServiceName};

use crate::{
    backend::{Discovery, ServiceRegistry},
    model::{Instance, Lease},
};

/// A backend, and a hand on what it reads: a zone, a file, a table.
///
/// ```
/// use msf_core::name::ServiceName;
/// use msf_registry::{Instance, backend::fixed::StaticRegistry, conformance::{Stage, Suite}};
///
/// struct Fixed(StaticRegistry);
///
/// impl Stage for Fixed {
///     type Backend = StaticRegistry;
///
///     fn backend(&self) -> &StaticRegistry {
///         &self.0
///     }
///
///     async fn list(&self, service: &ServiceName, instances: &[Instance]) {
///         self.0.replace(service, instances.to_vec()).expect("they are valid");
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// Suite::new().run_discovery(|| async { Fixed(StaticRegistry::new()) }).await;
/// # }
/// ```
pub trait Stage {
    /// The backend.
    type Backend: Discovery;

    /// The backend.
    fn backend(&self) -> &Self::Backend;

    /// From now on the service has exactly these instances. The suite compares addresses only, so a
    /// stage may leave out what its backend cannot carry.
    fn list(&self, service: &ServiceName, instances: &[Instance]) -> impl Future<Output = ()>;
}

/// The stage of a backend that can be written to.
pub(super) struct Leased<B> {
    backend: B,
    ttl: Duration,
    leases: Mutex<BTreeMap<(ServiceName, InstanceId), Lease>>,
}

impl<B> Leased<B> {
    pub(super) const fn new(backend: B, ttl: Duration) -> Self {
        Self {
            backend,
            ttl,
            leases: Mutex::new(BTreeMap::new()),
        }
    }
}

impl<B: ServiceRegistry> Stage for Leased<B> {
    type Backend = B;

    fn backend(&self) -> &B {
        &self.backend
    }

    async fn list(&self, service: &ServiceName, instances: &[Instance]) {
        for instance in instances {
            let lease = self.backend.put(instance, self.ttl).await.unwrap();
            let key = (service.clone(), instance.id.clone());
            self.leases.lock().unwrap().insert(key, lease);
        }
        let is_gone = |(of, id): &(ServiceName, InstanceId)| {
            of == service && !instances.iter().any(|instance| instance.id == *id)
        };
        let gone: Vec<Lease> = {
            let mut leases = self.leases.lock().unwrap();
            let (gone, left) = std::mem::take(&mut *leases)
                .into_iter()
                .partition(|(key, _)| is_gone(key));
            *leases = left;
            BTreeMap::into_values(gone).collect()
        };
        for lease in gone {
            self.backend.remove(&lease).await.unwrap();
        }
    }
}
