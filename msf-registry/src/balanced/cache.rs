//! The services of the instances.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use msf_core::name::InstanceId;

use super::make::{MakeEndpoint, is_served_alike};
use crate::{
    model::{Instance, Snapshot},
    service::ServiceHandle,
};

/// One place for each instance of the list in use, and in it the service once a call went there.
///
/// A call reads a map that is never written: it is replaced when the list is. So a call takes no lock, and there are
/// never more services than instances.
pub(super) struct Cache<M: MakeEndpoint> {
    pub(super) handle: ServiceHandle,
    make: M,
    slots: ArcSwap<Slots<M::Service>>,
    replacing: Mutex<()>,
}

struct Slots<S> {
    made_of: Option<Arc<Snapshot>>,
    by_id: HashMap<InstanceId, Arc<Slot<S>>>,
}

/// The place of one instance.
pub(super) struct Slot<S> {
    /// What the service is made for.
    instance: Arc<Instance>,
    service: ArcSwapOption<S>,
    making: Mutex<()>,
}

impl<M: MakeEndpoint> Cache<M> {
    pub(super) fn new(handle: ServiceHandle, make: M) -> Self {
        let empty = Slots {
            made_of: None,
            by_id: HashMap::new(),
        };
        Self {
            handle,
            make,
            slots: ArcSwap::from_pointee(empty),
            replacing: Mutex::new(()),
        }
    }

    /// The place of an instance and its service, which is made if there is none.
    pub(super) fn service(&self, instance: &Instance) -> (Arc<Slot<M::Service>>, Arc<M::Service>) {
        let slot = self.slot(instance).unwrap_or_else(|| {
            // The list is newer than the place.
            self.refresh();
            // It has left since it was picked: the service is for this call.
            self.slot(instance)
                .unwrap_or_else(|| Arc::new(Slot::new(Arc::new(instance.clone()))))
        });
        let service = slot.service(&self.make);
        (slot, service)
    }

    /// Makes the places those of the list in use, and drops the services of all that are gone.
    pub(super) fn refresh(&self) {
        let _alone = self
            .replacing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: an older list must not replace a newer one's places.
        let snapshot = self.handle.snapshot();
        let slots = self.slots.load();
        let is_same = |made_of: &Arc<Snapshot>| Arc::ptr_eq(made_of, &snapshot);
        if slots.made_of.as_ref().is_some_and(is_same) {
            return;
        }
        let place = |instance: &Arc<Instance>| match slots.by_id.get(&instance.id) {
            Some(slot) if slot.is_of(instance) => Arc::clone(slot),
            _ => Arc::new(Slot::new(Arc::clone(instance))),
        };
        let members = snapshot.instances().iter();
        let by_id = members
            .map(|member| (member.instance.id.clone(), place(&member.instance)))
            .collect();
        self.slots.store(Arc::new(Slots {
            made_of: Some(snapshot),
            by_id,
        }));
    }

    fn slot(&self, instance: &Instance) -> Option<Arc<Slot<M::Service>>> {
        let slots = self.slots.load();
        let slot = slots.by_id.get(&instance.id)?;
        slot.is_of(instance).then(|| Arc::clone(slot))
    }

    /// How many services there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let slots = self.slots.load();
        let made = slots
            .by_id
            .values()
            .filter(|slot| slot.service.load().is_some());
        made.count()
    }
}

impl<S> Slot<S> {
    fn new(instance: Arc<Instance>) -> Self {
        Self {
            instance,
            service: ArcSwapOption::empty(),
            making: Mutex::new(()),
        }
    }

    fn is_of(&self, instance: &Instance) -> bool {
        is_served_alike(&self.instance, instance)
    }

    fn service<M: MakeEndpoint<Service = S>>(&self, make: &M) -> Arc<S> {
        if let Some(service) = self.service.load_full() {
            return service;
        }
        // One at a time, so that two first calls do not open two connections.
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        self.service.load_full().unwrap_or_else(|| {
            let service = Arc::new(make.make(&self.instance));
            self.service.store(Some(Arc::clone(&service)));
            service
        })
    }

    /// Drops a service that said that it will never be ready again, unless another has its place already.
    pub(super) fn discard(&self, dead: &Arc<S>) {
        self.service.compare_and_swap(&Some(Arc::clone(dead)), None);
    }
}
