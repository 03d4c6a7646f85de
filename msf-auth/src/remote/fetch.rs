//! One fetch, from its start to what becomes of it.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use msf_core::clock;
use tokio::{runtime::Handle, sync::watch, time};

use super::{
    flight::Flight,
    keys::{Loaded, Shared},
};
use crate::{
    audit::{Event, Kind},
    flight::{Landing, Start},
    keys::{KeyFault, KeySet, SkippedKey},
};

/// Starts a fetch that belongs to nobody, or gives the one that runs.
pub(super) fn start(shared: &Arc<Shared>, flight: &mut Flight) -> Start {
    if let Some(landing) = &flight.landing {
        return Start::none(landing.clone());
    }
    let (sender, landing) = Landing::new();
    if Handle::try_current().is_err() {
        // Nothing can run here: the landing is over, since its sender is dropped.
        tracing::error!(target: TARGET, "keys are fetched inside a tokio runtime only");
        return Start::none(landing);
    }
    flight.landing = Some(landing.clone());
    shared.due.set(None);
    let running = Running {
        shared: shared.clone(),
        sender: Some(sender),
        outcome: Outcome::Failed,
    };
    Start::of(landing, "jwks_fetch", running.run())
}

/// A fetch under way. However it ends (also by a panic, or with its runtime), the next one can start and
/// those who wait are woken.
struct Running {
    shared: Arc<Shared>,
    sender: Option<watch::Sender<()>>,
    outcome: Outcome,
}

#[derive(Clone, Copy)]
enum Outcome {
    Failed,
    /// Usable for as long as the source says.
    Good(Option<Duration>),
}

impl Running {
    async fn run(mut self) {
        let fetched = self.shared.source.fetch();
        match time::timeout(self.shared.limits.fetch_timeout, fetched).await {
            Ok(Ok(document)) => {
                if self.shared.take(document.bytes()) {
                    self.outcome = Outcome::Good(document.fresh_for);
                }
            }
            Ok(Err(error)) => self.shared.failed(&error),
            Err(elapsed) => self.shared.failed(&elapsed),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let now = clock::now();
        let mut flight = self.shared.flight();
        match self.outcome {
            Outcome::Good(fresh_for) => flight.schedule.succeeded(now, fresh_for),
            Outcome::Failed => flight.schedule.failed(now),
        }
        self.shared.due.set(Some(flight.schedule.due_at()));
        flight.landing = None;
        drop(flight);
        drop(self.sender.take());
    }
}

impl Shared {
    /// Takes a document over, if there is a usable key in it.
    fn take(&self, document: &[u8]) -> bool {
        let keys = match KeySet::parse_assuming(document, self.limits.rsa_algorithm) {
            Ok(keys) => keys,
            Err(error) => {
                self.metrics.refused.inc();
                let source = self.name.as_str();
                tracing::warn!(target: TARGET, source, %error, "the key set is not readable, the last one stays");
                return false;
            }
        };
        self.report(keys.skipped());
        if keys.is_empty() {
            self.metrics.refused.inc();
            let source = self.name.as_str();
            tracing::warn!(target: TARGET, source, "the key set has no usable key, the last one stays");
            return false;
        }
        // Not by their ids only: another key under an old id is another key.
        let old = self.loaded.load();
        let is_same = old
            .as_ref()
            .is_some_and(|old| old.keys.to_json() == keys.to_json());
        let generation = old.as_ref().map_or(1, |old| old.generation + 1);
        if is_same {
            self.metrics.unchanged.inc();
        } else {
            self.metrics.replaced.inc();
            let source = self.name.as_str();
            tracing::info!(target: TARGET, source, keys = ?Vec::from_iter(keys.ids()), "keys replaced");
        }
        self.loaded.store(Some(Arc::new(Loaded {
            keys,
            at: clock::now(),
            generation,
        })));
        true
    }

    fn report(&self, skipped: &[SkippedKey]) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if *reported == skipped {
            return;
        }
        *reported = skipped.to_vec();
        drop(reported);
        let source = self.name.as_str();
        for (number, SkippedKey { id, fault, .. }) in skipped.iter().enumerate() {
            // Escaped and cut, since it is whatever the document says.
            let id = id
                .as_deref()
                .map(|id| id.chars().take(64).collect::<String>());
            if *fault == KeyFault::Private {
                // Whoever has read the set can sign with it.
                let event = Event::new(Kind::PrivateKeyPublished).reason(source);
                self.audit
                    .record(&event.key_id(id.as_deref().unwrap_or_default()));
            } else if number < REPORTED_MAX {
                tracing::warn!(target: TARGET, source, key = ?id, %fault, "a key is not used");
            }
        }
        if skipped.len() > REPORTED_MAX {
            tracing::warn!(target: TARGET, source, keys = skipped.len(), "many keys are not used");
        }
    }

    fn failed(&self, error: &(dyn std::error::Error + 'static)) {
        self.metrics.failed.inc();
        let source = self.name.as_str();
        tracing::warn!(target: TARGET, source, error, "the key set could not be fetched, the last one stays");
    }
}

/// A document that is wrong all over says so in a few lines, once until it is wrong in another way.
const REPORTED_MAX: usize = 8;
const TARGET: &str = "msf_auth::jwks";
