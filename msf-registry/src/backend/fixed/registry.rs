//! The list, and waking those who wait for another one.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
};
use tokio::{sync::watch, time::timeout_at};

use super::list::{InvalidList, checked};
use crate::{
    backend::{Capabilities, Consistency, Discovery, read_only::impl_read_only},
    error::RegistryError,
    model::{Authority, Change, Cursor, Instance, Snapshot},
};

/// A list that the program brings along; clones share it. See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct StaticRegistry {
    lists: Arc<watch::Sender<Lists>>,
}

#[derive(Debug)]
struct Lists {
    epoch: u64,
    /// How many times a list was replaced; each list has the number of its last time.
    revision: u64,
    services: BTreeMap<ServiceName, Snapshot>,
}

impl Default for StaticRegistry {
    fn default() -> Self {
        Self::new()
    }
}

impl StaticRegistry {
    /// Lists nobody.
    #[must_use]
    pub fn new() -> Self {
        let lists = Lists {
            epoch: fastrand::u64(..),
            revision: 0,
            services: BTreeMap::new(),
        };
        Self {
            lists: Arc::new(watch::Sender::new(lists)),
        }
    }

    /// Lists these instances, of any number of services.
    ///
    /// # Errors
    ///
    /// [`InvalidList`] with the first contradiction.
    pub fn of(instances: impl IntoIterator<Item = Instance>) -> Result<Self, InvalidList> {
        let mut by_service: BTreeMap<ServiceName, Vec<Instance>> = BTreeMap::new();
        for instance in instances {
            let service = instance.service.clone();
            by_service.entry(service).or_default().push(instance);
        }
        let registry = Self::new();
        for (service, instances) in by_service {
            registry.replace(&service, instances)?;
        }
        Ok(registry)
    }

    /// Lists instances that are known by their address only, each under it as its id.
    ///
    /// # Errors
    ///
    /// [`InvalidList`] with the first contradiction, such as an address that is there twice.
    pub fn addrs(
        self,
        service: &ServiceName,
        addrs: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Self, InvalidList> {
        let instances = addrs
            .into_iter()
            .map(|addr| Instance::new(service.clone(), id_of(addr), addr))
            .collect();
        self.replace(service, instances)?;
        Ok(self)
    }

    /// From now on the service has exactly these instances.
    ///
    /// # Errors
    ///
    /// [`InvalidList`] with the first contradiction; the list stays as it is.
    pub fn replace(
        &self,
        service: &ServiceName,
        instances: Vec<Instance>,
    ) -> Result<(), InvalidList> {
        let members = checked(service, instances)?;
        self.lists.send_modify(|lists| {
            lists.revision += 1;
            let cursor = Cursor::new(lists.epoch, lists.revision);
            let snapshot = Snapshot::new(service.clone(), cursor, Authority::Explicit, members);
            lists.services.insert(service.clone(), snapshot);
        });
        Ok(())
    }
}

impl Lists {
    fn snapshot(&self, service: &ServiceName) -> Snapshot {
        let listed = self.services.get(service).cloned();
        listed.unwrap_or_else(|| {
            let cursor = Cursor::new(self.epoch, 0);
            Snapshot::new(service.clone(), cursor, Authority::Explicit, [])
        })
    }
}

#[async_trait]
impl Discovery for StaticRegistry {
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        Ok(self.lists.borrow().snapshot(service))
    }

    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError> {
        let mut lists = self.lists.subscribe();
        let mut is_other = |lists: &Lists| lists.snapshot(service).cursor() != after;
        let changed = lists.wait_for(&mut is_other);
        let Ok(Ok(lists)) = timeout_at(clock::now() + WAIT, changed).await else {
            return Ok(Change::Unchanged);
        };
        Ok(Change::Changed(lists.snapshot(service)))
    }

    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        let lists = self.lists.borrow();
        let listed = lists.services.iter();
        Ok(listed
            .filter(|(_, snapshot)| !snapshot.instances().is_empty())
            .map(|(service, _)| service.clone())
            .collect())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .without_leases()
            .consistency(Consistency::Strong)
    }
}

impl_read_only!(StaticRegistry, "a fixed list");

/// What is written of an address fits into an id.
pub(crate) fn id_of(addr: SocketAddr) -> InstanceId {
    let text = match addr {
        SocketAddr::V4(_) => addr.to_string(),
        // Without the brackets, which no id may hold; the port is what follows the last colon.
        SocketAddr::V6(v6) => format!("{}:{}", v6.ip(), v6.port()),
    };
    InstanceId::new(text).expect("digits, letters, dots and colons, at most 45 of them")
}

/// So that the age of the list is that of a registry that is there.
const WAIT: Duration = Duration::from_secs(30);
