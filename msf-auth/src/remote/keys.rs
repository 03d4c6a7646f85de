//! The keys of an issuer elsewhere.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use msf_core::{
    backoff::Backoff,
    clock,
    task::{self, Task},
};
use thiserror::Error;
use tokio::{
    runtime::Handle,
    time::{self, Instant},
};

use super::{
    JwksSource, RemoteKeysBuilder, builder::Limits, fetch, flight::Flight, metrics::RefreshMetrics,
    schedule::Schedule,
};
use crate::{
    audit::Audit,
    flight::{Due, Landing},
    keys::{Key, KeySet, SkippedKey},
};

/// The keys of an issuer elsewhere: fetched on demand, kept while the issuer is away. Cloning shares them.
///
/// See the [module documentation](super) for an example and for the limits.
#[derive(Clone)]
pub struct RemoteKeys(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) source: Box<dyn JwksSource>,
    pub(super) name: String,
    pub(super) limits: Limits,
    pub(super) metrics: RefreshMetrics,
    pub(super) audit: Audit,
    pub(super) loaded: ArcSwapOption<Loaded>,
    /// What was found wrong last, so that it is said once and not with each fetch.
    pub(super) reported: Mutex<Vec<SkippedKey>>,
    flight: Mutex<Flight>,
    /// When the next one is due; never while one runs.
    pub(super) due: Due,
}

/// One good set and when it was fetched.
pub(super) struct Loaded {
    pub(super) keys: KeySet,
    pub(super) at: Instant,
    /// Another one for every set that was fetched.
    pub(super) generation: u64,
}

/// A source gave no usable keys in time.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("there are no keys from `{name}` yet")]
pub struct KeysNotReady {
    name: Box<str>,
}

impl RemoteKeys {
    /// Keys from a source, with the default limits.
    #[must_use]
    pub fn new(source: impl JwksSource) -> Self {
        Self::assemble(
            source,
            "default".to_owned(),
            Limits::DEFAULT,
            RefreshMetrics::noop(),
            Audit::log(),
        )
    }

    /// Keys from a source, with limits to be set.
    pub fn builder<J: JwksSource>(source: J) -> RemoteKeysBuilder<J> {
        RemoteKeysBuilder::new(source)
    }

    pub(super) fn assemble(
        source: impl JwksSource,
        name: String,
        limits: Limits,
        metrics: RefreshMetrics,
        audit: Audit,
    ) -> Self {
        let born = clock::now();
        let backoff = Backoff::exponential(BACKOFF_BASE, BACKOFF_MAX)
            .expect("the base is above zero and below the cap");
        let schedule = Schedule::new(
            limits.refresh_every,
            limits.unknown_every,
            limits.stale_max,
            backoff,
            born,
        );
        Self(Arc::new(Shared {
            source: Box::new(source),
            name,
            limits,
            metrics,
            audit,
            loaded: ArcSwapOption::empty(),
            reported: Mutex::default(),
            flight: Mutex::new(Flight::new(schedule)),
            due: Due::new(born),
        }))
    }

    /// Whether there are keys that may be used.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let loaded = self.0.loaded.load();
        loaded
            .as_ref()
            .is_some_and(|loaded| self.0.is_fresh_enough(loaded, clock::now()))
    }

    /// The keys as they were fetched last; `None` before the first success.
    #[must_use]
    pub fn current(&self) -> Option<KeySet> {
        self.0
            .loaded
            .load()
            .as_ref()
            .map(|loaded| loaded.keys.clone())
    }

    /// Fetches now unless a fetch runs already, and waits for its end; whether there are usable keys then.
    ///
    /// For the start of a process, or a readiness check. It bypasses the budget of unknown keys.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the fetch running.
    pub async fn refresh(&self) -> bool {
        let start = fetch::start(&self.0, &mut self.0.flight());
        start.launch().wait().await;
        self.is_usable()
    }

    /// Waits until there are usable keys, and fetches whenever the back-off allows it.
    ///
    /// For programs that would rather start late than answer with 503; those that need not wait need not call it.
    ///
    /// # Errors
    ///
    /// [`KeysNotReady`] when there are none `within` the time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves a fetch that runs to others.
    ///
    /// ```
    /// use std::time::Duration;
    /// use msf_auth::{JwksFetchError, RemoteKeys};
    /// # use bytes::Bytes;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let keys = RemoteKeys::new(|| async { Err::<Bytes, _>(JwksFetchError::new("away")) });
    /// assert!(keys.await_ready(Duration::from_secs(3)).await.is_err());
    /// # }
    /// ```
    pub async fn await_ready(&self, within: Duration) -> Result<(), KeysNotReady> {
        time::timeout(within, self.until_ready())
            .await
            .map_err(|_| KeysNotReady {
                name: self.0.name.as_str().into(),
            })
    }

    async fn until_ready(&self) {
        while !self.is_usable() {
            self.once_more().await;
        }
    }

    /// Waits for the fetch that runs, or for the time of the next one, or for the next one.
    async fn once_more(&self) {
        let next = {
            let mut flight = self.0.flight();
            match flight.schedule.due_at() {
                due_at if flight.landing.is_none() && clock::now() < due_at => Err(due_at),
                _ => Ok(fetch::start(&self.0, &mut flight)),
            }
        };
        match next {
            Ok(start) => start.launch().wait().await,
            Err(due_at) => time::sleep_until(due_at).await,
        }
    }

    /// Keeps the keys fresh without being asked, until the task is dropped.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn keep_fresh(&self) -> Task<()> {
        let keys = self.clone();
        task::spawn("jwks_keep_fresh", async move {
            loop {
                keys.once_more().await;
            }
        })
    }

    /// What is made of a key and of the generation of its set; starts a fetch in the background when one is due.
    ///
    /// `None` when the issuer may have the key, but not in the set that was fetched last.
    pub(crate) fn lookup<T>(
        &self,
        id: Option<&str>,
        with: impl FnOnce(&Key, u64) -> T,
    ) -> Option<T> {
        self.with_loaded(|loaded| {
            let key = loaded.keys.find(id)?;
            Some(with(key, loaded.generation))
        })?
    }

    /// The generation of the set that is used now, if it is the known one or if what is asked holds in it.
    pub(crate) fn recheck(&self, known: u64, holds: impl FnOnce(&KeySet) -> bool) -> Option<u64> {
        self.with_loaded(|loaded| {
            let holds = loaded.generation == known || holds(&loaded.keys);
            holds.then_some(loaded.generation)
        })?
    }

    fn with_loaded<T>(&self, with: impl FnOnce(&Loaded) -> T) -> Option<T> {
        let now = clock::now();
        let loaded = self.0.loaded.load();
        let loaded = loaded
            .as_ref()
            .filter(|loaded| self.0.is_fresh_enough(loaded, now))?;
        if self.0.due.is_now(now) {
            self.0.start_if_due(now);
        }
        Some(with(loaded))
    }

    /// What to wait for before looking once more; `None` when waiting would not help or is not affordable.
    pub(crate) fn refresh_for_missing_key(&self) -> Option<crate::verify::Refresh> {
        // Outside a runtime nobody would end the wait.
        Handle::try_current().ok()?;
        let now = clock::now();
        let is_usable = self.is_usable();
        let mut flight = self.0.flight();
        let place = flight.waiters.clone().try_acquire_owned().ok()?;
        if flight.landing.is_none() {
            let is_affordable = if is_usable {
                flight.schedule.take_unknown(now)
            } else {
                // Without any keys every token has an unknown one; the back-off bounds those fetches.
                flight.schedule.is_due(now)
            };
            if !is_affordable {
                return None;
            }
        }
        let start = fetch::start(&self.0, &mut flight);
        drop(flight);
        let landing = start.launch();
        let wait_max = self.0.limits.wait_max;
        Some(Box::pin(async move {
            let _place = place;
            // Whether it was in time shows when the key is looked for again.
            let _in_time = time::timeout(wait_max, landing.wait()).await;
        }))
    }
}

impl Shared {
    pub(super) fn flight(&self) -> MutexGuard<'_, Flight> {
        // What it protects is consistent between any two statements that could panic.
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_fresh_enough(&self, loaded: &Loaded, now: Instant) -> bool {
        now.saturating_duration_since(loaded.at) < self.limits.stale_max
    }

    fn start_if_due(self: &Arc<Self>, now: Instant) {
        let mut flight = self.flight();
        if flight.landing.is_none() && flight.schedule.is_due(now) {
            let start = fetch::start(self, &mut flight);
            drop(flight);
            let _landing: Landing = start.launch();
        }
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys")
            .field("name", &self.0.name)
            .field("keys", &self.current())
            .finish_non_exhaustive()
    }
}

/// The first wait after a failure.
const BACKOFF_BASE: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
