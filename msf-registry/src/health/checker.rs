//! The settings.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use msf_core::{
    metrics::Metrics,
    name::ServiceName,
    task::{self, Task},
};

use super::{
    error::InvalidHealthChecker,
    probe::{Probe, StandardProbe},
    reach::Reach,
    run::{Found, Run},
    schedule::{Pace, Schedule},
    tally::Thresholds,
    target::Targets,
    way::Ways,
};
use crate::{backend::memory::MemoryRegistry, metrics::CHECKS, model::HealthCheck, registry::Laid};

/// Settings of health checks. See the [module documentation](super).
///
/// They are [started](Self::start) at a registry, or in a process that calls, with
/// [`Registry::start_health_checking`](crate::Registry::start_health_checking).
///
/// ```
/// use std::time::Duration;
/// use msf_registry::{backend::memory::MemoryRegistry, health::{HealthChecker, Reach}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let memory = MemoryRegistry::new();
/// let checks = HealthChecker::new()
///     .interval(Duration::from_secs(5))
///     .reach(Reach::default().only("10.0.0.0/8".parse()?))
///     .start(&memory)?;
/// // Checks run until it is dropped.
/// drop(checks);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct HealthChecker {
    pub(crate) interval: Duration,
    edge_interval: Duration,
    idle_interval: Option<Duration>,
    jitter: f64,
    timeout: Duration,
    rise: u32,
    fall: u32,
    fail_fast: bool,
    concurrency: usize,
    reach: Reach,
    probe: Option<Arc<dyn Probe>>,
    probe_of: HashMap<ServiceName, Arc<dyn Probe>>,
    check: Option<HealthCheck>,
    check_of: HashMap<ServiceName, HealthCheck>,
    pub(crate) keep_delisted: bool,
    metrics: Option<Metrics>,
}

/// Health checks that run until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the checks"]
pub struct HealthChecks {
    _task: Task<()>,
    /// Absent at a registry, which keeps what was found.
    _laid: Option<Laid>,
}

impl HealthChecker {
    /// The usual settings.
    pub fn new() -> Self {
        Self {
            interval: Duration::from_secs(10),
            edge_interval: Duration::from_secs(1),
            idle_interval: None,
            jitter: 0.15,
            timeout: Duration::from_secs(2),
            rise: 2,
            fall: 3,
            fail_fast: true,
            concurrency: 64,
            reach: Reach::default(),
            probe: None,
            probe_of: HashMap::new(),
            check: None,
            check_of: HashMap::new(),
            keep_delisted: false,
            metrics: None,
        }
    }

    /// How often each instance is asked; 10 s unless set, from 10 ms to a day.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How soon an instance is asked again after a result that speaks against what it is held to be, until
    /// that is settled; 1 s unless set, from 10 ms to a day, and never longer than the interval. So a dead
    /// instance is found after one interval and `fall - 1` of these.
    pub const fn edge_interval(mut self, interval: Duration) -> Self {
        self.edge_interval = interval;
        self
    }

    /// How often an instance is asked while this process does not call its service; as often as otherwise
    /// unless set, from 10 ms to a day. 60 s is usual. When calls begin again, the instances are asked within
    /// one [`interval`](Self::interval). Of no effect at a registry, which does not see the calls.
    pub const fn idle_interval(mut self, interval: Duration) -> Self {
        self.idle_interval = Some(interval);
        self
    }

    /// The share of an interval by which it may be shorter or longer; 0.15 unless set, from 0 to 0.5. Checks
    /// that fell together drift apart, and checkers that started together as well.
    pub const fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// How long an answer may take; 2 s unless set, from 1 ms to an hour.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Passes in a row that make an unhealthy instance healthy; 2 unless set, 1 to 1000.
    pub const fn rise(mut self, passes: u32) -> Self {
        self.rise = passes;
        self
    }

    /// Failures in a row that make an instance unhealthy; 3 unless set, 1 to 1000, so that one lost packet is no
    /// verdict.
    pub const fn fall(mut self, failures: u32) -> Self {
        self.fall = failures;
        self
    }

    /// Whether an instance that [says itself](super::ProbeFailed::refusal) that it must not be called is
    /// unhealthy at once; it is unless set.
    pub const fn fail_fast(mut self, is_on: bool) -> Self {
        self.fail_fast = is_on;
        self
    }

    /// How many checks run at once; 64 unless set, 1 to 65536. What is due waits for its turn. A quarter of
    /// them is kept for instances whose last check passed.
    pub const fn concurrency(mut self, checks: usize) -> Self {
        self.concurrency = checks;
        self
    }

    /// Which addresses may be asked; [all that an instance can have](Reach) unless set. An instance that names one
    /// elsewhere, as an endpoint or for its check, is not asked and treated as one that refuses.
    pub fn reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// How an instance is checked that has a check; by a [`StandardProbe`] unless set.
    pub fn probe(mut self, probe: impl Probe) -> Self {
        self.probe = Some(Arc::new(probe));
        self
    }

    /// How all instances of a service are checked, whatever check they ask for, if any. The way to have a
    /// service checked by a [command](super::ExecProbe).
    pub fn probe_of(mut self, service: ServiceName, probe: impl Probe) -> Self {
        self.probe_of.insert(service, Arc::new(probe));
        self
    }

    /// The check of instances that ask for none; they are not checked unless set. Instances from DNS or a file
    /// of addresses never ask for one.
    pub fn check(mut self, check: HealthCheck) -> Self {
        self.check = Some(check);
        self
    }

    /// As [`check`](Self::check), for the instances of one service.
    pub fn check_of(mut self, service: ServiceName, check: HealthCheck) -> Self {
        self.check_of.insert(service, check);
        self
    }

    /// Whether an instance that is off the registry's list is called until a check fails; it is not unless set.
    /// This keeps a service alive whose registry loses its instances. One that deregistered by its own word, or whose
    /// address another instance has now, is not kept. Of no effect at a registry.
    pub const fn keep_delisted(mut self, is_on: bool) -> Self {
        self.keep_delisted = is_on;
        self
    }

    /// Where the results are counted; nowhere unless set.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Starts checks of all instances of a registry on the current runtime. All who ask the registry see what
    /// they find.
    ///
    /// # Errors
    ///
    /// [`InvalidHealthChecker`] with the first setting that cannot work.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start(self, memory: &MemoryRegistry) -> Result<HealthChecks, InvalidHealthChecker> {
        let run = self.prepare(memory.clone())?;
        Ok(HealthChecks {
            _task: task::spawn("health-checks", run),
            _laid: None,
        })
    }

    /// The checks, ready to run.
    pub(crate) fn prepare(
        self,
        targets: impl Targets,
    ) -> Result<impl Future<Output = ()> + Send + 'static, InvalidHealthChecker> {
        self.validate()?;
        let results = self.metrics.as_ref().map(|m| CHECKS.register(m));
        let probe = match self.probe {
            Some(probe) => probe,
            None => Arc::new(StandardProbe::new()?),
        };
        let pace = Pace {
            interval: self.interval,
            edge: self.edge_interval,
            idle: self.idle_interval,
            jitter: self.jitter,
        };
        let thresholds = Thresholds {
            rise: self.rise,
            fall: self.fall,
        };
        let ways = Ways {
            probe,
            probe_of: self.probe_of,
            check: self.check,
            check_of: self.check_of,
            reach: self.reach,
            timeout: self.timeout,
        };
        let run = Run {
            ways,
            fail_fast: self.fail_fast,
            concurrency: self.concurrency,
            results: results.transpose()?,
            sync_every: (self.interval / 4).clamp(SYNC_MIN, SYNC_MAX),
            schedule: Schedule::new(pace, thresholds, self.concurrency),
            found: Found::new(targets),
            impeded_at: None,
        };
        Ok(run.run())
    }

    fn validate(&self) -> Result<(), InvalidHealthChecker> {
        let times = [
            ("interval", self.interval, INTERVAL_MIN, INTERVAL_MAX),
            (
                "edge_interval",
                self.edge_interval,
                INTERVAL_MIN,
                INTERVAL_MAX,
            ),
            (
                "idle_interval",
                self.idle_interval.unwrap_or(INTERVAL_MIN),
                INTERVAL_MIN,
                INTERVAL_MAX,
            ),
            ("timeout", self.timeout, TIMEOUT_MIN, TIMEOUT_MAX),
        ];
        for (field, value, min, max) in times {
            if value < min || value > max {
                return Err(InvalidHealthChecker::Duration {
                    field,
                    value,
                    min,
                    max,
                });
            }
        }
        let counts = [
            ("rise", self.rise as usize, THRESHOLD_MAX),
            ("fall", self.fall as usize, THRESHOLD_MAX),
            ("concurrency", self.concurrency, CONCURRENCY_MAX),
        ];
        for (field, value, max) in counts {
            if value == 0 || value > max {
                return Err(InvalidHealthChecker::Count { field, value, max });
            }
        }
        // Written so that what is no number is refused.
        if !(0.0..=JITTER_MAX).contains(&self.jitter) {
            return Err(InvalidHealthChecker::Jitter(self.jitter));
        }
        for check in self.check.iter().chain(self.check_of.values()) {
            check.validate().map_err(InvalidHealthChecker::Check)?;
        }
        Ok(())
    }
}

impl HealthChecks {
    pub(crate) const fn laid(task: Task<()>, laid: Laid) -> Self {
        Self {
            _task: task,
            _laid: Some(laid),
        }
    }
}

impl Default for HealthChecker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HealthChecker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthChecker")
            .field("interval", &self.interval)
            .field("edge_interval", &self.edge_interval)
            .field("idle_interval", &self.idle_interval)
            .field("timeout", &self.timeout)
            .field("rise", &self.rise)
            .field("fall", &self.fall)
            .field("concurrency", &self.concurrency)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

const INTERVAL_MIN: Duration = Duration::from_millis(10);
const INTERVAL_MAX: Duration = Duration::from_secs(86_400);
const TIMEOUT_MIN: Duration = Duration::from_millis(1);
const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);
const THRESHOLD_MAX: usize = 1_000;
const CONCURRENCY_MAX: usize = 65_536;
const JITTER_MAX: f64 = 0.5;
/// How soon a new instance is noticed.
const SYNC_MIN: Duration = Duration::from_millis(50);
const SYNC_MAX: Duration = Duration::from_millis(500);
