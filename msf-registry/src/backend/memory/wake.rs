//! Waking those who wait for a service.

use std::hash::{BuildHasher, RandomState};

use msf_core::name::ServiceName;
use tokio::sync::{Notify, futures::Notified};

/// A fixed number of doorbells that services share by hash.
///
/// One doorbell per service would have to live as long as somebody waits for a service that nobody
/// registered for, and such names come from outside. Sharing costs a wake-up now and then.
#[derive(Debug)]
pub(super) struct Doorbells {
    bells: [Notify; BELLS],
    hasher: RandomState,
}

impl Doorbells {
    pub(super) fn new() -> Self {
        Self {
            bells: [const { Notify::const_new() }; BELLS],
            hasher: RandomState::new(),
        }
    }

    /// Hears every ring from now on, even before it is polled.
    pub(super) fn listen(&self, service: &ServiceName) -> Notified<'_> {
        self.bell(service).notified()
    }

    pub(super) fn ring(&self, service: &ServiceName) {
        self.bell(service).notify_waiters();
    }

    fn bell(&self, service: &ServiceName) -> &Notify {
        let hash = self.hasher.hash_one(service);
        let index = usize::try_from(hash % BELLS as u64).unwrap_or(0);
        &self.bells[index]
    }
}

const BELLS: usize = 64;
