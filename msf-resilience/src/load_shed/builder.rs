//! The knobs of a load shed and their checks.

use std::{fmt, sync::Arc, time::Duration};

use msf_core::metrics::Metrics;

use super::{error::InvalidLoadShed, handle::LoadShed, signal::Signal};
use crate::name;

/// Sets up a [`LoadShed`]. The defaults and their reasons are in the [module documentation](super).
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::{adaptive::AdaptiveLimit, load_shed::LoadShed};
///
/// let limit = AdaptiveLimit::builder("api").build()?;
/// let shed = LoadShed::builder("api")
///     .signal(limit.clone())
///     .queue_wait(Duration::from_millis(5))
///     .threshold(0.8)
///     .build()?;
/// assert_eq!(shed.snapshot().share(), 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder does nothing before `build`"]
pub struct LoadShedBuilder {
    name: Arc<str>,
    settings: Settings,
    metrics: Option<Metrics>,
}

/// What [`LoadShedBuilder::build`] has checked.
pub(super) struct Settings {
    pub(super) signals: Vec<Box<dyn Signal>>,
    pub(super) threshold: f64,
    pub(super) queue_wait: Option<Duration>,
    pub(super) window: Duration,
    pub(super) retry_after: Duration,
}

impl LoadShedBuilder {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            settings: Settings {
                signals: Vec::new(),
                threshold: 0.9,
                queue_wait: None,
                window: Duration::from_millis(250),
                retry_after: Duration::from_secs(1),
            },
            metrics: None,
        }
    }

    /// Adds a signal. The greatest load of all of them counts.
    pub fn signal(mut self, signal: impl Signal) -> Self {
        self.settings.signals.push(Box::new(signal));
        self
    }

    /// From which load of the signals on requests are shed, 0.1 to 10. Default 0.9.
    pub const fn threshold(mut self, load: f64) -> Self {
        self.settings.threshold = load;
        self
    }

    /// How long requests may wait in a queue, 100 µs to 1 min; see [`LoadShed::record_wait`]. Default: waits do not count.
    pub const fn queue_wait(mut self, wait: Duration) -> Self {
        self.settings.queue_wait = Some(wait);
        self
    }

    /// How often the share is set anew, 10 ms to 1 min. Default 250 ms.
    pub const fn window(mut self, window: Duration) -> Self {
        self.settings.window = window;
        self
    }

    /// After what time a shed client should come back, 1 ms to 1 h; it is told once to twice as much. Default 1 s.
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.settings.retry_after = wait;
        self
    }

    /// Exports the load shed's metrics. Those of one name share their series.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Checks everything and makes the load shed, which lets everything in.
    ///
    /// # Errors
    ///
    /// [`InvalidLoadShed`] names the first knob that is out of its range, or the metrics that could not be registered.
    pub fn build(self) -> Result<LoadShed, InvalidLoadShed> {
        let (name, metrics) = (Arc::clone(&self.name), self.metrics.clone());
        Ok(LoadShed::new(name, self.settings()?, metrics.as_ref())?)
    }

    pub(super) fn settings(self) -> Result<Settings, InvalidLoadShed> {
        let Self { name, settings, .. } = self;
        if !name::is_name(&name) {
            return Err(InvalidLoadShed::Name);
        }
        if settings.signals.is_empty() && settings.queue_wait.is_none() {
            return Err(InvalidLoadShed::NoSignal);
        }
        if !(0.1..=10.0).contains(&settings.threshold) {
            return Err(InvalidLoadShed::Threshold(settings.threshold));
        }
        if let Some(wait) = settings.queue_wait
            && !(QUEUE_WAIT_MIN..=QUEUE_WAIT_MAX).contains(&wait)
        {
            return Err(InvalidLoadShed::QueueWait(wait));
        }
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&settings.window) {
            return Err(InvalidLoadShed::Window(settings.window));
        }
        if !(RETRY_AFTER_MIN..=RETRY_AFTER_MAX).contains(&settings.retry_after) {
            return Err(InvalidLoadShed::RetryAfter(settings.retry_after));
        }
        Ok(settings)
    }
}

impl fmt::Debug for LoadShedBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadShedBuilder")
            .field("name", &self.name)
            .field("signals", &self.settings.signals.len())
            .field("threshold", &self.settings.threshold)
            .field("queue_wait", &self.settings.queue_wait)
            .field("window", &self.settings.window)
            .field("retry_after", &self.settings.retry_after)
            .finish_non_exhaustive()
    }
}

const QUEUE_WAIT_MIN: Duration = Duration::from_micros(100);
const QUEUE_WAIT_MAX: Duration = Duration::from_secs(60);
const WINDOW_MIN: Duration = Duration::from_millis(10);
const WINDOW_MAX: Duration = Duration::from_secs(60);
const RETRY_AFTER_MIN: Duration = Duration::from_millis(1);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
