//! The knobs, their defaults and their checks.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use msf_core::metrics::Metrics;

use super::{error::InvalidCoalesce, handle::Coalesce, settings::Settings};
use crate::name::is_name;

/// Sets up a [`Coalesce`]; the defaults are in the [module documentation](super).
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::coalesce::Coalesce;
///
/// let prices = Coalesce::<u64, u32>::builder("prices")
///     .max_keys(100)
///     .patience(Duration::from_secs(1))
///     .build()?;
/// assert_eq!(prices.in_flight(), 0);
/// # Ok::<(), msf_resilience::coalesce::InvalidCoalesce>(())
/// ```
#[must_use = "a builder does nothing before `build`"]
pub struct CoalesceBuilder<K, T> {
    name: Arc<str>,
    settings: Settings,
    metrics: Option<Metrics>,
    types: PhantomData<fn(K) -> T>,
}

impl<K, T> CoalesceBuilder<K, T> {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            settings: Settings {
                max_keys: 10_000,
                patience: Duration::from_secs(10),
                max_body: 1 << 20,
            },
            metrics: None,
            types: PhantomData,
        }
    }

    /// How many different keys may be under way at once; a call with a further one goes alone. 1 to 1000000, default 10000.
    ///
    /// Keys are kept in 16 parts, of which each holds a sixteenth of it, rounded up.
    pub const fn max_keys(mut self, keys: usize) -> Self {
        self.settings.max_keys = keys;
        self
    }

    /// How long followers wait for a leader before one of them makes the call too, and how long a body that is to be
    /// shared may take. 1 ms to 10 min, default 10 s.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// The longest body that is kept in memory to be shared, in bytes; at most 64 MiB, default 1 MiB.
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.settings.max_body = bytes;
        self
    }

    /// Exports who led and who joined; see the [module documentation](super).
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Sets it up.
    ///
    /// # Errors
    ///
    /// [`InvalidCoalesce`] names the knob and its range.
    pub fn build(self) -> Result<Coalesce<K, T>, InvalidCoalesce> {
        if !is_name(&self.name) {
            return Err(InvalidCoalesce::Name);
        }
        let settings = self.settings()?;
        Ok(Coalesce::new(self.name, &settings, self.metrics.as_ref())?)
    }

    pub(super) fn settings(&self) -> Result<Settings, InvalidCoalesce> {
        let Settings {
            max_keys,
            patience,
            max_body,
        } = self.settings;
        if !(1..=KEYS_MAX).contains(&max_keys) {
            return Err(InvalidCoalesce::MaxKeys(max_keys));
        }
        if !(PATIENCE_MIN..=PATIENCE_MAX).contains(&patience) {
            return Err(InvalidCoalesce::Patience(patience));
        }
        if max_body > BODY_MAX {
            return Err(InvalidCoalesce::MaxBody(max_body));
        }
        Ok(self.settings)
    }
}

impl<K, T> Clone for CoalesceBuilder<K, T> {
    fn clone(&self) -> Self {
        Self {
            name: Arc::clone(&self.name),
            settings: self.settings,
            metrics: self.metrics.clone(),
            types: PhantomData,
        }
    }
}

impl<K, T> fmt::Debug for CoalesceBuilder<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoalesceBuilder")
            .field("name", &self.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

const KEYS_MAX: usize = 1_000_000;
const PATIENCE_MIN: Duration = Duration::from_millis(1);
const PATIENCE_MAX: Duration = Duration::from_secs(600);
const BODY_MAX: usize = 64 << 20;
