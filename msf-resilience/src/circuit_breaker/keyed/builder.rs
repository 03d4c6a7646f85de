//! The knobs of a keyed breaker.

use std::{fmt, hash::Hash, marker::PhantomData, sync::Arc, time::Duration};

use msf_core::metrics::Metrics;

use super::{
    super::{builder::CircuitBreakerBuilder, error::InvalidCircuitBreaker},
    breaker::KeyedCircuitBreaker,
};

/// Sets up a [`KeyedCircuitBreaker`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct KeyedCircuitBreakerBuilder<K> {
    each: CircuitBreakerBuilder,
    max_keys: usize,
    idle_after: Duration,
    metrics: Option<Metrics>,
    key: PhantomData<fn(K)>,
}

impl<K> KeyedCircuitBreakerBuilder<K> {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            each: CircuitBreakerBuilder::new(name),
            max_keys: 4096,
            idle_after: Duration::from_secs(600),
            metrics: None,
            key: PhantomData,
        }
    }

    /// Changes the knobs of each circuit. A name or metrics that are set there are not used.
    pub fn each(
        mut self,
        knobs: impl FnOnce(CircuitBreakerBuilder) -> CircuitBreakerBuilder,
    ) -> Self {
        self.each = knobs(self.each);
        self
    }

    /// How many keys have a circuit of their own, 1 to 65 536. Default 4096.
    ///
    /// A circuit takes about 4 KB, which later circuits reuse.
    pub const fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// When an unused key is forgotten, 1 s to a day, if its circuit is closed. Default 10 min.
    pub const fn idle_after(mut self, time: Duration) -> Self {
        self.idle_after = time;
        self
    }

    /// Exports the metrics of all keys together, under the one name.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Checks everything and makes the breaker, without keys.
    ///
    /// # Errors
    ///
    /// [`InvalidCircuitBreaker`] names the first knob that is out of its range.
    pub fn build(self) -> Result<KeyedCircuitBreaker<K>, InvalidCircuitBreaker>
    where
        K: Hash + Eq + Clone + fmt::Debug + Send + 'static,
    {
        if !(1..=KEYS_MAX).contains(&self.max_keys) {
            return Err(InvalidCircuitBreaker::MaxKeys(self.max_keys));
        }
        if !(IDLE_MIN..=IDLE_MAX).contains(&self.idle_after) {
            return Err(InvalidCircuitBreaker::IdleAfter(self.idle_after));
        }
        let settings = self.each.settings()?;
        let name = self.each.name();
        KeyedCircuitBreaker::new(
            name,
            settings,
            self.max_keys,
            self.idle_after,
            self.metrics.as_ref(),
        )
    }
}

const KEYS_MAX: usize = 65_536;
const IDLE_MIN: Duration = Duration::from_secs(1);
const IDLE_MAX: Duration = Duration::from_secs(86_400);
