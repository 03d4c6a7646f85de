//! One fetch, from its start to what becomes of it.

use std::sync::Arc;

use bytes::Bytes;
use msf_core::{clock, task};
use tokio::{runtime::Handle, sync::watch, time};

use super::{
    flight::{Flight, Landing},
    keys::{Loaded, Shared},
};
use crate::keys::KeySet;

/// Starts a fetch that belongs to nobody, or gives the one that runs.
pub(super) fn start(shared: &Arc<Shared>, flight: &mut Flight) -> Landing {
    if let Some(landing) = &flight.landing {
        return landing.clone();
    }
    let (sender, landing) = Landing::new();
    if Handle::try_current().is_err() {
        // Nothing can run here: the landing is over, since its sender is dropped.
        tracing::error!(target: TARGET, "keys are fetched inside a tokio runtime only");
        return landing;
    }
    flight.landing = Some(landing.clone());
    shared.set_due(None);
    let running = Running {
        shared: shared.clone(),
        sender: Some(sender),
        is_good: false,
    };
    task::spawn("jwks_fetch", running.run()).detach();
    landing
}

/// A fetch under way. However it ends (also by a panic, or with its runtime), the next one can start and
/// those who wait are woken.
struct Running {
    shared: Arc<Shared>,
    sender: Option<watch::Sender<()>>,
    is_good: bool,
}

impl Running {
    async fn run(mut self) {
        let fetched = self.shared.source.fetch();
        match time::timeout(self.shared.limits.fetch_timeout, fetched).await {
            Ok(Ok(document)) => self.is_good = self.shared.take(&document),
            Ok(Err(error)) => self.shared.failed(&error),
            Err(elapsed) => self.shared.failed(&elapsed),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let now = clock::now();
        let mut flight = self.shared.flight();
        if self.is_good {
            flight.schedule.succeeded(now);
        } else {
            flight.schedule.failed(now);
        }
        self.shared.set_due(Some(flight.schedule.due_at()));
        flight.landing = None;
        drop(flight);
        drop(self.sender.take());
    }
}

impl Shared {
    /// Takes a document over, if there is a usable key in it.
    fn take(&self, document: &Bytes) -> bool {
        let keys = match KeySet::parse(document) {
            Ok(keys) => keys,
            Err(error) => {
                self.metrics.refused.inc();
                let source = self.name.as_str();
                tracing::warn!(target: TARGET, source, %error, "the key set is not readable, the last one stays");
                return false;
            }
        };
        for skipped in keys.skipped() {
            let (source, id) = (self.name.as_str(), skipped.id.as_deref());
            tracing::warn!(target: TARGET, source, key = ?id, fault = %skipped.fault, "a key is not used");
        }
        if keys.is_empty() {
            self.metrics.refused.inc();
            let source = self.name.as_str();
            tracing::warn!(target: TARGET, source, "the key set has no usable key, the last one stays");
            return false;
        }
        let old = self.loaded.load();
        let is_same = old
            .as_ref()
            .is_some_and(|old| old.keys.ids().eq(keys.ids()));
        // Also when no id changed: the key of one may have.
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

    fn failed(&self, error: &(dyn std::error::Error + 'static)) {
        self.metrics.failed.inc();
        let source = self.name.as_str();
        tracing::warn!(target: TARGET, source, error, "the key set could not be fetched, the last one stays");
    }
}

const TARGET: &str = "msf_auth::jwks";
