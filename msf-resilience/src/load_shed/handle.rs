//! The handle: the controller with a clock, signals, metrics and a place in the list of policies.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, TryLockError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use msf_core::{
    clock::Epoch,
    metrics::{Metrics, MetricsError},
};

use super::{
    builder::{LoadShedBuilder, Settings},
    controller::{Controller, Cut, PARTS},
    error::{InvalidLoadShed, Overloaded},
    metrics::LoadShedMetrics,
    priority::Priority,
    tracker::Tracker,
};
use crate::{
    policies::{self, Kind, Policy},
    refusal::retry_after,
    stripe::Tally,
};

/// Sheds load by priority. Clones share it.
///
/// It needs no tower: ask before the work is begun. The [module documentation](super) has the rules and the layers.
///
/// ```
/// use msf_resilience::{bulkhead::Bulkhead, load_shed::{LoadShed, Priority}};
///
/// let bulkhead = Bulkhead::builder("api").build()?;
/// let shed = LoadShed::builder("api").signal(bulkhead.clone()).build()?;
/// shed.check(Priority::DEFAULT)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct LoadShed {
    shared: Arc<Shared>,
}

/// What a load shed is doing now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snapshot {
    load: f64,
    share: f64,
    refused: u64,
}

impl LoadShed {
    /// Begins a load shed. The name appears in errors, logs and as a metric label: use the service's.
    pub fn builder(name: impl Into<Arc<str>>) -> LoadShedBuilder {
        LoadShedBuilder::new(name.into())
    }

    pub(super) fn new(
        name: Arc<str>,
        settings: Settings,
        metrics: Option<&Metrics>,
    ) -> Result<Self, MetricsError> {
        let handles = metrics
            .map(|metrics| LoadShedMetrics::register(metrics, &name))
            .transpose()?;
        let shared = Arc::new(Shared {
            name,
            epoch: Epoch::new(),
            ends_at: AtomicU64::new(nanos(settings.window)),
            cut: AtomicU32::new(Cut::NONE.0),
            retry_after_ns: AtomicU64::new(nanos(settings.retry_after)),
            tracker: Tracker::new(),
            refused: Tally::default(),
            load: AtomicU64::new(0_f64.to_bits()),
            share: AtomicU64::new(1_f64.to_bits()),
            calls: AtomicU64::new(0),
            control: Mutex::new(Control {
                controller: Controller::new(),
                settings,
                rolled_at: 0,
            }),
            metrics: handles,
        });
        policies::register(&shared);
        if let Some(metrics) = metrics {
            metrics.on_scrape_of(&shared, |shared| {
                if let Some(metrics) = &shared.metrics {
                    metrics.show(shared);
                }
            });
        }
        Ok(Self { shared })
    }

    /// Whether a request of this priority may be served now.
    ///
    /// # Errors
    ///
    /// [`Overloaded`] when it must not.
    #[inline]
    pub fn check(&self, priority: Priority) -> Result<(), Overloaded> {
        let shared = &*self.shared;
        let now = shared.epoch.coarse_nanos();
        if now >= shared.ends_at.load(Ordering::Relaxed) {
            shared.roll(now);
        }
        shared.tracker.arrived(priority);
        let cut = Cut(shared.cut.load(Ordering::Relaxed));
        if cut.admits(priority.as_level(), || fastrand::u32(..PARTS)) {
            return Ok(());
        }
        Err(shared.refuse(priority))
    }

    /// Tells how long a request has waited in a queue before its work began; see
    /// [`queue_wait`](LoadShedBuilder::queue_wait).
    ///
    /// ```
    /// use std::time::Duration;
    /// use msf_core::clock;
    /// use msf_resilience::{bulkhead::Bulkhead, load_shed::LoadShed};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bulkhead = Bulkhead::builder("api").max_wait(Some(Duration::from_secs(1))).build()?;
    /// let shed = LoadShed::builder("api").queue_wait(Duration::from_millis(5)).build()?;
    ///
    /// let arrived = clock::now();
    /// let permit = bulkhead.acquire().await?;
    /// shed.record_wait(arrived.elapsed());
    /// # drop(permit);
    /// # Ok(())
    /// # }
    /// ```
    pub fn record_wait(&self, wait: Duration) {
        self.shared.tracker.waited(wait);
    }

    /// Takes signals and numbers of another builder over, whose name and metrics do not matter. The share goes on from
    /// where it is.
    ///
    /// # Errors
    ///
    /// [`InvalidLoadShed`] names the first knob that is out of its range; nothing is changed then.
    pub fn reconfigure(&self, builder: LoadShedBuilder) -> Result<(), InvalidLoadShed> {
        let settings = builder.settings()?;
        let shared = &*self.shared;
        let retry_after_ns = nanos(settings.retry_after);
        let end = shared.epoch.coarse_nanos() + nanos(settings.window);
        let mut control = shared
            .control
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        shared
            .retry_after_ns
            .store(retry_after_ns, Ordering::Relaxed);
        shared.ends_at.fetch_min(end, Ordering::Relaxed);
        let before = std::mem::replace(&mut control.settings, settings);
        drop(control);
        // The signals are anybody's code, and may hold the last handle of something.
        drop(before);
        Ok(())
    }

    /// What it is doing now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shared.now()
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }
}

impl fmt::Debug for LoadShed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadShed")
            .field("name", &self.name())
            .field("now", &self.snapshot())
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// The load that was seen last, as a share of the threshold: from 1 on, less is let in.
    #[must_use]
    pub const fn load(&self) -> f64 {
        self.load
    }

    /// The share of requests that are not critical that is let in.
    #[must_use]
    pub const fn share(&self) -> f64 {
        self.share
    }

    /// Requests that were shed since it was built.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}

/// What all clones of a load shed share.
pub(super) struct Shared {
    name: Arc<str>,
    epoch: Epoch,
    /// When the window ends.
    ends_at: AtomicU64,
    cut: AtomicU32,
    retry_after_ns: AtomicU64,
    tracker: Tracker,
    refused: Tally,
    /// Bits of floats, for who looks.
    load: AtomicU64,
    share: AtomicU64,
    /// Arrivals of all windows that have ended.
    calls: AtomicU64,
    control: Mutex<Control>,
    metrics: Option<LoadShedMetrics>,
}

struct Control {
    controller: Controller,
    settings: Settings,
    rolled_at: u64,
}

impl Shared {
    pub(super) fn now(&self) -> Snapshot {
        Snapshot {
            load: f64::from_bits(self.load.load(Ordering::Relaxed)),
            share: f64::from_bits(self.share.load(Ordering::Relaxed)),
            refused: self.refused.sum(),
        }
    }

    /// How many requests were judged; fewer for a moment while a window ends.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed) + self.tracker.pending()
    }

    /// Ends the window, unless another call is at it.
    #[cold]
    fn roll(&self, now: u64) {
        let mut control = match self.control.try_lock() {
            Ok(control) => control,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if now < self.ends_at.load(Ordering::Relaxed) {
            return;
        }
        let Control {
            controller,
            settings,
            rolled_at,
        } = &mut *control;
        let window_ns = nanos(settings.window).max(1);
        let end = now.saturating_add(window_ns);
        // Before the signals are asked: should one of them panic, not every call is to ask it again.
        self.ends_at.store(end, Ordering::Relaxed);
        let windows = now.saturating_sub(*rolled_at) / window_ns;
        *rolled_at = now;
        let load = settings.load(self.tracker.take_least_wait());
        let (cut, calls) = self
            .tracker
            .drain(|arrivals| controller.update(arrivals, load, windows));
        self.calls.fetch_add(calls, Ordering::Relaxed);
        self.load.store(load.to_bits(), Ordering::Relaxed);
        let share = controller.share();
        let before = f64::from_bits(self.share.swap(share.to_bits(), Ordering::Relaxed));
        self.cut.store(cut.0, Ordering::Relaxed);
        drop(control);
        self.announce(before, share, load);
    }

    fn announce(&self, before: f64, share: f64, load: f64) {
        let load_shed = &*self.name;
        if before >= 1.0 && share < 1.0 {
            tracing::warn!(load_shed, load, "overloaded: shedding begins");
        } else if before < 1.0 && share >= 1.0 {
            tracing::info!(load_shed, load, "everything is let in again");
        }
    }

    #[cold]
    fn refuse(&self, priority: Priority) -> Overloaded {
        self.refused.add(1);
        if let Some(metrics) = &self.metrics {
            metrics.refused(priority.class()).inc();
        }
        let base = Duration::from_nanos(self.retry_after_ns.load(Ordering::Relaxed));
        Overloaded::new(Arc::clone(&self.name), priority, retry_after(base))
    }
}

impl Settings {
    /// The greatest load of all signals; from 1 on it is too much.
    fn load(&self, least_wait: Option<Duration>) -> f64 {
        let signals = self.signals.iter();
        let signals = signals
            .map(|signal| signal.load() / self.threshold)
            .fold(0.0, f64::max);
        let wait = match (least_wait, self.queue_wait) {
            (Some(wait), Some(target)) => wait.as_secs_f64() / target.as_secs_f64(),
            _ => 0.0,
        };
        signals.max(wait)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(metrics) = &self.metrics {
            metrics.end(self);
        }
    }
}

impl Policy for Shared {
    fn snapshot(&self) -> policies::Snapshot {
        let now = self.now();
        let state = if now.share < 1.0 {
            "shedding"
        } else {
            "passing"
        };
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let refused = now.refused as f64;
        policies::Snapshot::new(Kind::LoadShed, &self.name)
            .in_state(state)
            .with("load_ratio", now.load)
            .with("share_ratio", now.share)
            .with("refused_total", refused)
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::LoadShed && *self.name == *name
    }
}

/// Nanoseconds of a duration that was checked to be at most an hour.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
