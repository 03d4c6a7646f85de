//! What is listed, and how far that is vouched for.

use std::sync::Arc;

use msf_core::name::ServiceName;
use tokio::time::Instant;

use super::{Look, State};
#[cfg(feature = "health")]
use crate::model::{Health, Instance};
use crate::{
    backend::memory::{preservation::Hold, view::View},
    model::{Authority, Cursor, Snapshot},
};

impl State {
    pub(in crate::backend::memory) fn view(
        &mut self,
        name: &ServiceName,
        now: Instant,
    ) -> Arc<View> {
        self.awake(now);
        self.warm(now);
        self.expire(name, now);
        let cursor = self.cursor(name);
        let authority = self.authority(name, now);
        let Some(service) = self.services.get_mut(name) else {
            let nobody = Snapshot::new(name.clone(), cursor, authority, []);
            let known_since = cursor.revision();
            return Arc::new(View::new(
                nobody,
                [].into(),
                [].into(),
                known_since,
                known_since,
            ));
        };
        service.view(name, self.epoch, authority)
    }

    /// What has changed since `after`, or until when nothing will change by itself.
    pub(in crate::backend::memory) fn look(
        &mut self,
        name: &ServiceName,
        after: Cursor,
        now: Instant,
    ) -> Look {
        self.awake(now);
        self.warm(now);
        self.expire(name, now);
        if self.cursor(name) != after {
            return Look::Changed(self.view(name, now));
        }
        let service = self.services.get(name);
        let check_at = service.filter(|s| !s.listed.is_empty()).map(|s| s.check_at);
        let warm_at = (!self.is_warm).then_some(self.warm_at);
        Look::Wait(check_at.into_iter().chain(warm_at).min())
    }

    pub(in crate::backend::memory) fn services(&mut self, now: Instant) -> Vec<ServiceName> {
        self.awake(now);
        self.expire_all(now);
        let mut names: Vec<ServiceName> = self
            .services
            .iter()
            .filter(|(_, service)| !service.listed.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        names.sort_unstable();
        names
    }

    /// How many instances and services there are.
    #[cfg(any(feature = "http", test))]
    pub(in crate::backend::memory) fn counts(&mut self, now: Instant) -> (usize, usize) {
        self.awake(now);
        self.expire_all(now);
        (self.instances, self.services.len() - self.empty)
    }

    /// Every instance with its token and health, in no order.
    #[cfg(feature = "health")]
    pub(in crate::backend::memory) fn all(
        &mut self,
        now: Instant,
    ) -> Vec<(Arc<Instance>, u64, Health)> {
        self.awake(now);
        self.expire_all(now);
        self.services
            .values()
            .flat_map(|service| service.listed.values())
            .map(|listed| (Arc::clone(&listed.instance), listed.token, listed.health))
            .collect()
    }

    /// The services that are preserved, and whether the registry as a whole is.
    pub(in crate::backend::memory) fn preserved(
        &mut self,
        now: Instant,
    ) -> (Vec<ServiceName>, bool) {
        self.expire_all(now);
        if self.hold != Hold::Normal {
            self.is_global(now);
        }
        let held = self.services.iter().filter(|(_, s)| s.hold.is_holding());
        let names = held.map(|(name, _)| name.clone()).collect();
        (names, self.hold.is_holding())
    }

    fn cursor(&self, name: &ServiceName) -> Cursor {
        let service = self.services.get(name);
        Cursor::new(self.epoch, service.map_or(self.floor, |s| s.revision))
    }

    /// How far a list of this moment is vouched for.
    fn authority(&self, name: &ServiceName, now: Instant) -> Authority {
        let service = self.services.get(name);
        let has_expired = service
            .and_then(|service| service.unsure_until)
            .is_some_and(|until| now < until);
        // Of a young memory, only a service is known whose instances all came and said goodbye.
        let is_known =
            now >= self.unsure_until || service.is_some_and(|service| service.listed.is_empty());
        let is_unsure = has_expired || !is_known;
        match (self.is_warm, is_unsure) {
            (false, _) => Authority::Partial,
            (true, true) => Authority::Complete,
            (true, false) => Authority::Explicit,
        }
    }
}
