//! Runs the checks.

use std::{collections::HashMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

use msf_core::{
    clock,
    metrics::{Counter, Metrics, MetricsError},
    task::{self, Task},
};
use tokio::{
    task::{Id, JoinSet},
    time::{sleep_until, timeout},
};

use super::{
    probe::{HttpProbe, Probe, ProbeFailed},
    schedule::{Key, Schedule},
    tally::Thresholds,
};
use crate::{
    backend::memory::MemoryRegistry,
    metrics::CHECKS,
    model::{Health, Instance},
};

/// Builds the health checks of a registry. See the [module documentation](super).
#[must_use]
pub struct HealthChecker {
    memory: MemoryRegistry,
    interval: Duration,
    timeout: Duration,
    thresholds: Thresholds,
    concurrency: usize,
    probe: Option<Arc<dyn Probe>>,
    only: Option<Arc<dyn Fn(SocketAddr) -> bool + Send + Sync>>,
    metrics: Option<Metrics>,
}

/// Health checks that run until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the checks"]
pub struct HealthChecks {
    _task: Task<()>,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHealthChecker {
    /// Zero where a time or a number is needed.
    #[error("{0} must be more than zero")]
    Zero(&'static str),
    /// Checks so rare that none would ever find anything.
    #[error("an interval of {0:?} is longer than a day")]
    Interval(Duration),
    /// The HTTP client could not be made.
    #[error("the probe could not be made")]
    Probe(#[from] ProbeFailed),
    /// A metric of the same name and another shape exists.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] MetricsError),
}

impl HealthChecker {
    /// Checks of the instances of a registry with the usual settings.
    pub const fn new(memory: MemoryRegistry) -> Self {
        Self {
            memory,
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            thresholds: Thresholds { rise: 2, fall: 2 },
            concurrency: 64,
            probe: None,
            only: None,
            metrics: None,
        }
    }

    /// How often each instance is asked, give or take 10 %, at most a day apart; 2 s unless set.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How long an answer may take; 1 s unless set.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Passes in a row that make an unhealthy instance healthy; 2 unless set.
    pub const fn rise(mut self, passes: u32) -> Self {
        self.thresholds.rise = passes;
        self
    }

    /// Failures in a row that make an instance unhealthy; 2 unless set, so that one lost packet is no
    /// verdict.
    pub const fn fall(mut self, failures: u32) -> Self {
        self.thresholds.fall = failures;
        self
    }

    /// How many checks run at once; 64 unless set. What is due waits for its turn.
    pub const fn concurrency(mut self, checks: usize) -> Self {
        self.concurrency = checks;
        self
    }

    /// How an instance is checked; by an [`HttpProbe`] unless set.
    pub fn probe(mut self, probe: impl Probe) -> Self {
        self.probe = Some(Arc::new(probe));
        self
    }

    /// Which addresses may be asked; all unless set. An instance elsewhere is treated as failing.
    pub fn only(mut self, allowed: impl Fn(SocketAddr) -> bool + Send + Sync + 'static) -> Self {
        self.only = Some(Arc::new(allowed));
        self
    }

    /// Where the results are counted; nowhere unless set.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Starts the checks on the current runtime.
    ///
    /// # Errors
    ///
    /// [`InvalidHealthChecker`] with the first setting that cannot work.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start(self) -> Result<HealthChecks, InvalidHealthChecker> {
        let zeros = [
            (self.interval.is_zero(), "interval"),
            (self.timeout.is_zero(), "timeout"),
            (self.thresholds.rise == 0, "rise"),
            (self.thresholds.fall == 0, "fall"),
            (self.concurrency == 0, "concurrency"),
        ];
        if let Some((_, what)) = zeros.into_iter().find(|(is_zero, _)| *is_zero) {
            return Err(InvalidHealthChecker::Zero(what));
        }
        if self.interval > INTERVAL_MAX {
            return Err(InvalidHealthChecker::Interval(self.interval));
        }
        let results = self
            .metrics
            .as_ref()
            .map(|m| CHECKS.register(m))
            .transpose()?;
        let result = |word| {
            results
                .as_ref()
                .map_or_else(Counter::noop, |r| r.with([word]))
        };
        let probe = match self.probe {
            Some(probe) => probe,
            None => Arc::new(HttpProbe::new()?),
        };
        let run = Run {
            memory: self.memory,
            timeout: self.timeout,
            concurrency: self.concurrency,
            probe,
            only: self.only,
            passed: result("passed"),
            failed: result("failed"),
            sync_every: (self.interval / 4).clamp(SYNC_MIN, SYNC_MAX),
            schedule: Schedule::new(self.interval, self.thresholds),
        };
        Ok(HealthChecks {
            _task: task::spawn("health-checks", run.run()),
        })
    }
}

struct Run {
    memory: MemoryRegistry,
    timeout: Duration,
    concurrency: usize,
    probe: Arc<dyn Probe>,
    only: Option<Arc<dyn Fn(SocketAddr) -> bool + Send + Sync>>,
    passed: Counter,
    failed: Counter,
    sync_every: Duration,
    schedule: Schedule,
}

impl Run {
    async fn run(mut self) {
        // Owned by this task: they end with it.
        let mut checks: JoinSet<Result<(), ProbeFailed>> = JoinSet::new();
        let mut keys: HashMap<Id, Key> = HashMap::new();
        let mut sync_at = clock::now();
        loop {
            let now = clock::now();
            if now >= sync_at {
                self.schedule
                    .sync(self.memory.targets(), now, fastrand::f64);
                sync_at = now + self.sync_every;
            }
            while checks.len() < self.concurrency
                && let Some((key, instance)) = self.schedule.pop(now)
            {
                let check = checks.spawn(self.check(&instance));
                keys.insert(check.id(), key);
            }
            let has_room = checks.len() < self.concurrency;
            let next_at = self.schedule.next_at().filter(|_| has_room);
            tokio::select! {
                Some(checked) = checks.join_next_with_id() => {
                    // A probe that panics has not shown that the instance works.
                    let (id, result) = checked
                        .unwrap_or_else(|panic| (panic.id(), Err(ProbeFailed::new(panic))));
                    if let Some(key) = keys.remove(&id) {
                        self.note(&key, result);
                    }
                }
                () = sleep_until(next_at.map_or(sync_at, |at| at.min(sync_at))) => {}
            }
        }
    }

    fn check(
        &self,
        instance: &Arc<Instance>,
    ) -> impl Future<Output = Result<(), ProbeFailed>> + Send + use<> {
        let is_allowed = self.only.as_ref().is_none_or(|only| only(instance.addr()));
        let (probe, instance, limit) =
            (Arc::clone(&self.probe), Arc::clone(instance), self.timeout);
        async move {
            if !is_allowed {
                return Err(ProbeFailed::new("the address may not be asked"));
            }
            let late = |_elapsed| Err(ProbeFailed::new(format!("no answer within {limit:?}")));
            timeout(limit, probe.probe(&instance))
                .await
                .unwrap_or_else(late)
        }
    }

    fn note(&mut self, key: &Key, result: Result<(), ProbeFailed>) {
        let passed = result.is_ok();
        if passed { &self.passed } else { &self.failed }.inc();
        let now = clock::now();
        let Some(health) = self.schedule.done(key, passed, now, fastrand::f64()) else {
            return;
        };
        let cause = result
            .err()
            .and_then(|error| std::error::Error::source(&error).map(ToString::to_string));
        let (service, instance) = (&key.service, &key.id);
        if health == Health::Unhealthy {
            tracing::warn!(%service, %instance, cause, "instance is unhealthy");
        } else {
            tracing::info!(%service, %instance, "instance is healthy");
        }
        self.memory
            .set_target_health(service, instance, key.token, health);
    }
}

impl fmt::Debug for HealthChecker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthChecker")
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .field("thresholds", &self.thresholds)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// How soon a new instance is noticed.
const SYNC_MIN: Duration = Duration::from_millis(50);
const SYNC_MAX: Duration = Duration::from_millis(500);
const INTERVAL_MAX: Duration = Duration::from_secs(86_400);
