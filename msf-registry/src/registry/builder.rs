//! The settings of a [`Registry`].

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use msf_core::{
    backoff::{Backoff, InvalidBackoff},
    metrics::{Metrics, MetricsError},
    name::ServiceName,
};
use tokio::runtime::Handle;

use super::facade::Registry;
use crate::{
    backend::ServiceRegistry,
    balance::{Balance, InvalidLoadBalancing, LoadBalancing},
    health::Reach,
    metrics::Families,
};

/// Builds a [`Registry`]. Made by [`Registry::builder`].
///
/// ```
/// use std::time::Duration;
/// use msf_core::metrics::Metrics;
/// use msf_registry::{Balance, Registry, backend::memory::MemoryRegistry};
///
/// let metrics = Metrics::new();
/// let registry = Registry::builder(MemoryRegistry::new())
///     .lease_ttl(Duration::from_secs(3))
///     .balance(Balance::RoundRobin)
///     .metrics(&metrics)
///     .build()?;
/// # drop(registry);
/// # Ok::<(), msf_registry::InvalidRegistry>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct RegistryBuilder {
    backend: Arc<dyn ServiceRegistry>,
    settings: Settings,
    metrics: Option<Metrics>,
}

/// What the drivers need to know.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) lease_ttl: Duration,
    pub(super) load_balancing: LoadBalancing,
    /// Of services with a setting of their own.
    pub(super) load_balancing_of: BTreeMap<ServiceName, LoadBalancing>,
    pub(super) empty_hold: Duration,
    pub(super) merge_window: Duration,
    pub(super) drain_wait: Duration,
    pub(super) deregister_timeout: Duration,
    pub(super) call_timeout: Duration,
    pub(super) watch_timeout: Duration,
    pub(super) linger: Duration,
    pub(super) cache_dir: Option<PathBuf>,
    pub(super) cache_age_max: Duration,
    pub(super) backoff: Backoff,
    pub(super) reach: Reach,
    pub(super) runtime: Option<Handle>,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRegistry {
    /// A time that is too short or too long to be of use.
    #[error("{setting} is {value:?}; use {min:?} to {max:?}")]
    OutOfRange {
        /// The setting, by the name of its setter.
        setting: &'static str,
        /// What was asked for.
        value: Duration,
        /// The shortest that is allowed.
        min: Duration,
        /// The longest that is allowed.
        max: Duration,
    },
    /// The waits between tries.
    #[error("the back-off of the watch is not valid")]
    Backoff(#[from] InvalidBackoff),
    /// A setting of how calls are spread.
    #[error("the load balancing is not valid")]
    LoadBalancing(#[from] InvalidLoadBalancing),
    /// A metric of the same name and another shape exists.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] MetricsError),
}

impl RegistryBuilder {
    pub(super) fn new(backend: Arc<dyn ServiceRegistry>) -> Self {
        Self {
            backend,
            settings: Settings::default(),
            metrics: None,
        }
    }

    /// How long this process stays listed after it has died; 15 s unless set. It renews three times
    /// as often, so that two renewals may be lost.
    pub const fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.settings.lease_ttl = ttl;
        self
    }

    /// Which algorithm chooses instances; [`Balance::PeakEwma`] unless set. What
    /// [`load_balancing`](Self::load_balancing) set besides stays.
    pub const fn balance(mut self, balance: Balance) -> Self {
        self.settings.load_balancing.balance = balance;
        self
    }

    /// How calls are spread over the instances of a service; [`LoadBalancing::default`] unless set.
    pub fn load_balancing(mut self, load_balancing: LoadBalancing) -> Self {
        self.settings.load_balancing = load_balancing;
        self
    }

    /// As [`load_balancing`](Self::load_balancing), for one service.
    pub fn load_balancing_of(
        mut self,
        service: ServiceName,
        load_balancing: LoadBalancing,
    ) -> Self {
        self.settings
            .load_balancing_of
            .insert(service, load_balancing);
        self
    }

    /// For how long a service that suddenly has no instance keeps its last ones; 30 s unless set, zero
    /// to believe it at once. All instances going at once is more often a defect of the registry than
    /// the truth, and calling the dead costs a refused connection.
    pub const fn empty_hold(mut self, hold: Duration) -> Self {
        self.settings.empty_hold = hold;
        self
    }

    /// The waits between tries while the registry is away; 100 ms to 5 s with full jitter unless set.
    pub const fn watch_backoff(mut self, backoff: Backoff) -> Self {
        self.settings.backoff = backoff;
        self
    }

    /// For how long changes of a list are collected before callers see them; 100 ms unless set, at most 1 s. The
    /// first change after a quiet time is seen at once, so that one instance more or less costs no delay, and those
    /// that follow it are seen together. Whoever ends a time without any instance is seen at once in any case.
    pub const fn merge_window(mut self, window: Duration) -> Self {
        self.settings.merge_window = window;
        self
    }

    /// For how long [`Registration::drain`](crate::Registration::drain) waits between saying that an instance drains
    /// and taking it off the list; 3 s unless set: callers hear of it within a round trip and a merge window, or at
    /// their next question where the backend is polled, for which it waits longer if need be. With 3 s it is done
    /// within the 5 s that a host grants its drain hooks.
    pub const fn drain_wait(mut self, wait: Duration) -> Self {
        self.settings.drain_wait = wait;
        self
    }

    /// For how long the end of a registration is tried; 3 s unless set. Long enough for a registry that restarts,
    /// short enough not to hold up the end of the process; what it does not reach expires.
    pub const fn deregister_timeout(mut self, timeout: Duration) -> Self {
        self.settings.deregister_timeout = timeout;
        self
    }

    /// Where the last list of every watched service is kept, one file each; nowhere unless set. A process that
    /// starts while the registry is away begins with it, so only who may send calls elsewhere may write to it: not a
    /// directory below `/tmp`. It is made for this user alone if it is missing; where that or writing fails, it is logged
    /// and [counted](crate::catalogue), and the process goes on without.
    pub fn cache_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.settings.cache_dir = Some(dir.into());
        self
    }

    /// How old a list on disk may be to be used; 3 days unless set: a long weekend. What is older lists addresses that
    /// may belong to somebody else by now.
    pub const fn cache_age_max(mut self, age: Duration) -> Self {
        self.settings.cache_age_max = age;
        self
    }

    /// How long the registry may take to answer before it counts as away; 10 s unless set. What keeps this process
    /// registered waits at most a third of the time to live, so that there is time for another try.
    pub const fn call_timeout(mut self, timeout: Duration) -> Self {
        self.settings.call_timeout = timeout;
        self
    }

    /// How long a question for changes may take; 120 s unless set. Longer than every backend of ours waits for changes
    /// by itself, so that it only ends the wait for one that hangs.
    pub const fn watch_timeout(mut self, timeout: Duration) -> Self {
        self.settings.watch_timeout = timeout;
        self
    }

    /// For how long a service stays watched after [`Registry::service_url`] or [`Registry::is_healthy`] asked about it;
    /// 60 s unless set. Who holds a handle keeps it watched for as long.
    pub const fn linger(mut self, wait: Duration) -> Self {
        self.settings.linger = wait;
        self
    }

    /// Which addresses instances may be called at, whatever the registry lists; [all that an instance can
    /// have](Reach) unless set. Who names another one is left out, and a warning says so: a registry refuses
    /// such an instance by itself only where it is one of ours, and a zone, a file or a key may be written by others.
    ///
    /// ```
    /// use msf_registry::{Registry, backend::memory::MemoryRegistry, health::Reach};
    ///
    /// let ours = Reach::default().only("10.0.0.0/8".parse()?);
    /// let registry = Registry::builder(MemoryRegistry::new()).reach(ours).build()?;
    /// # drop(registry);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reach(mut self, reach: Reach) -> Self {
        self.settings.reach = reach;
        self
    }

    /// Where its tasks run; the runtime that is current when it is used unless set. A program with
    /// several runtimes names the one that lives longest.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.settings.runtime = Some(runtime);
        self
    }

    /// Where [its metrics](crate::catalogue) are registered; nowhere unless set.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The registry.
    ///
    /// # Errors
    ///
    /// [`InvalidRegistry`] with the first setting that cannot work.
    pub fn build(self) -> Result<Registry, InvalidRegistry> {
        self.settings.validate()?;
        self.settings.load_balancing.validate()?;
        for load_balancing in self.settings.load_balancing_of.values() {
            load_balancing.validate()?;
        }
        let families = self.metrics.as_ref().map(Families::register).transpose()?;
        Ok(Registry::with(self.backend, self.settings, families))
    }
}

impl Settings {
    fn validate(&self) -> Result<(), InvalidRegistry> {
        let rules = [
            ("lease_ttl", self.lease_ttl, MS * 100, DAY),
            ("merge_window", self.merge_window, Duration::ZERO, SECOND),
            ("drain_wait", self.drain_wait, Duration::ZERO, SECOND * 600),
            (
                "deregister_timeout",
                self.deregister_timeout,
                MS * 10,
                SECOND * 60,
            ),
            ("call_timeout", self.call_timeout, MS * 10, SECOND * 600),
            ("watch_timeout", self.watch_timeout, SECOND, DAY),
            ("linger", self.linger, Duration::ZERO, DAY),
            ("cache_age_max", self.cache_age_max, SECOND, DAY * 3_650),
        ];
        let broken = rules
            .into_iter()
            .find(|(_, value, min, max)| value < min || value > max);
        broken.map_or(Ok(()), |(setting, value, min, max)| {
            Err(InvalidRegistry::OutOfRange {
                setting,
                value,
                min,
                max,
            })
        })
    }

    /// How calls to a service are spread.
    pub(super) fn load_balancing(&self, service: &ServiceName) -> &LoadBalancing {
        self.load_balancing_of
            .get(service)
            .unwrap_or(&self.load_balancing)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_ttl: Duration::from_secs(15),
            load_balancing: LoadBalancing::default(),
            load_balancing_of: BTreeMap::new(),
            empty_hold: Duration::from_secs(30),
            merge_window: Duration::from_millis(100),
            drain_wait: Duration::from_secs(3),
            deregister_timeout: Duration::from_secs(3),
            call_timeout: Duration::from_secs(10),
            watch_timeout: Duration::from_secs(120),
            linger: Duration::from_secs(60),
            cache_dir: None,
            cache_age_max: DAY * 3,
            backoff: WATCH_BACKOFF,
            reach: Reach::default(),
            runtime: None,
        }
    }
}

impl std::fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

const WATCH_BACKOFF: Backoff = {
    match Backoff::exponential(Duration::from_millis(100), Duration::from_secs(5)) {
        Ok(backoff) => backoff,
        Err(_) => panic!("100 ms is more than zero and less than 5 s"),
    }
};
