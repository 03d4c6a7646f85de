//! What a gateway runs on now.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;

use super::revision::Revision;
use crate::pipeline::Shared;

/// What a gateway runs on now, and which revision that is.
#[derive(Debug)]
pub(crate) struct Live {
    current: ArcSwap<Shared>,
    revision: AtomicU64,
    /// Two who replace at once must not give their revisions the wrong way round.
    replacing: Mutex<()>,
}

impl Live {
    pub(crate) fn new(shared: Shared) -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwap::from_pointee(shared),
            revision: AtomicU64::new(Revision::FIRST.get()),
            replacing: Mutex::new(()),
        })
    }

    pub(crate) fn current(&self) -> Arc<Shared> {
        self.current.load_full()
    }

    pub(crate) fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }

    /// Of a revision, or of a later one: whoever takes the revision for older than it is asks once more.
    pub(super) fn snapshot(&self) -> (Revision, Arc<Shared>) {
        let revision = self.revision();
        (revision, self.current())
    }

    pub(crate) fn replace(&self, shared: Arc<Shared>) -> Revision {
        let replacing = self.replacing.lock();
        let _replacing = replacing.unwrap_or_else(PoisonError::into_inner);
        // In this order, so that whoever sees the revision finds what belongs to it.
        self.current.store(shared);
        Revision(self.revision.fetch_add(1, Ordering::Release) + 1)
    }
}
