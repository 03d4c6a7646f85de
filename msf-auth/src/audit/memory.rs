//! Events kept in memory.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{AuditSink, Event, Kind};

/// Keeps the last events in memory, for tests and for a page that shows them. Cloning shares them.
///
/// See the [module documentation](super) for an example.
#[derive(Clone, Debug)]
pub struct MemorySink(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kept_max: usize,
    events: Mutex<VecDeque<Recorded>>,
}

/// An event that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    kind: Kind,
    fields: Vec<(&'static str, Box<str>)>,
}

impl MemorySink {
    /// Keeps as many events as are given; the oldest goes first.
    #[must_use]
    pub fn new(kept_max: usize) -> Self {
        Self(Arc::new(Shared {
            kept_max,
            events: Mutex::default(),
        }))
    }

    /// What is kept, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Recorded> {
        self.lock().iter().cloned().collect()
    }

    /// How many of a kind are kept.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.lock()
            .iter()
            .filter(|event| event.kind == kind)
            .count()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Recorded>> {
        // Each change is one push or one pop.
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditSink for MemorySink {
    fn record(&self, event: &Event<'_>) {
        let fields = event.fields().map(|(name, value)| (name, value.into()));
        let recorded = Recorded {
            kind: event.kind(),
            fields: fields.collect(),
        };
        let mut events = self.lock();
        events.push_back(recorded);
        while events.len() > self.0.kept_max {
            events.pop_front();
        }
    }
}

impl Recorded {
    /// What happened.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The value of a field, by its name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(own, _)| *own == name)
            .map(|(_, value)| &**value)
    }
}
