//! Whom to check, and whom to tell.

use std::{net::SocketAddr, sync::Arc};

use msf_core::name::ServiceName;
use tokio::time::Instant;

use super::schedule::Key;
use crate::{
    backend::memory::MemoryRegistry,
    model::{Health, Instance},
    service::Probed,
};

/// An instance that may be checked.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) instance: Arc<Instance>,
    /// Which registration of this id it is.
    pub(crate) token: u64,
    /// What is known about it already.
    pub(crate) health: Health,
    /// Whether nobody calls it now.
    pub(crate) is_idle: bool,
}

/// What a check showed, for whoever keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(super) key: Key,
    /// Where the instance was called when it was checked.
    pub(super) addr: SocketAddr,
    pub(super) health: Health,
    /// Whether it was another one before; else it is told again.
    pub(super) is_new: bool,
}

/// Where instances are listed.
pub(crate) trait Targets: Send + Sync + 'static {
    /// All instances, in any order.
    fn list(&mut self, now: Instant) -> Vec<Target>;

    /// Takes in what checks showed, in their order.
    fn tell(&self, verdicts: Vec<Verdict>);
}

impl Target {
    pub(super) fn key(&self) -> Key {
        Key {
            service: self.instance.service.clone(),
            id: self.instance.id.clone(),
            token: self.token,
        }
    }
}

impl Verdict {
    /// As it is laid over a list.
    pub(crate) fn probed(self, keeps: bool) -> (ServiceName, Probed) {
        let probed = Probed {
            id: self.key.id,
            addr: self.addr,
            health: self.health,
            keeps,
        };
        (self.key.service, probed)
    }
}

impl Targets for MemoryRegistry {
    fn list(&mut self, _: Instant) -> Vec<Target> {
        let targets = self.targets().into_iter();
        targets
            .map(|target| Target {
                instance: target.instance,
                token: target.token,
                health: target.health,
                // The registry does not see the calls.
                is_idle: false,
            })
            .collect()
    }

    fn tell(&self, verdicts: Vec<Verdict>) {
        for verdict in verdicts.into_iter().filter(|verdict| verdict.is_new) {
            let Key { service, id, token } = &verdict.key;
            self.set_target_health(service, id, *token, verdict.health);
        }
    }
}
