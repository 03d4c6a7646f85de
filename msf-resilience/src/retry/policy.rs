//! The handle: the knobs with a name, a budget and metrics.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
};

use msf_core::metrics::{Metrics, MetricsError};

use super::{
    builder::RetryPolicyBuilder, call::Call, config::Config, decision::Waits,
    error::InvalidRetryPolicy, methods::Methods, metrics::RetryMetrics, request::Terms,
};
use crate::{
    budget::{Budget, Deposit, WeakBudget},
    late::{Found, Late, Pool},
    policies::{self, Kind, Policy, Snapshot},
};

static POOL: Pool<Core> = Pool::new();

/// When and how often a call is made again. Clones share it.
///
/// See the [module documentation](super).
#[derive(Clone)]
pub struct RetryPolicy {
    shared: Arc<Shared>,
}

/// What the builder has checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Knobs {
    pub(super) max_attempts: u32,
    pub(super) methods: Methods,
    pub(super) body_limit: usize,
    pub(super) track_hosts: bool,
    pub(super) waits: Waits,
}

pub(super) struct Shared {
    budget: Option<Budget>,
    /// Whether the budget is this policy's alone, so that its rule is one of the policy's knobs.
    owns_budget: bool,
    core: Found<Core>,
}

/// What calls need that failed; it may outlive the policy for a while.
pub(super) struct Core {
    pub(super) name: Arc<str>,
    max_attempts: AtomicU32,
    methods: AtomicU32,
    body_limit: AtomicUsize,
    track_hosts: AtomicBool,
    /// Only failures ask for these.
    waits: Mutex<Waits>,
    /// None for a policy without one.
    pub(super) budget: Option<WeakBudget>,
    pub(super) metrics: Option<RetryMetrics>,
}

impl RetryPolicy {
    /// Begins a policy. The name appears in metrics: use the callee's.
    ///
    /// # Panics
    ///
    /// Never.
    pub fn builder(name: impl Into<Arc<str>>) -> RetryPolicyBuilder {
        RetryPolicyBuilder::from_config(name.into(), &Config::default())
            .expect("the defaults are in their ranges")
    }

    /// Begins a policy from a configuration.
    ///
    /// # Errors
    ///
    /// [`InvalidRetryPolicy`] names a backoff or a method that cannot be; [`build`](RetryPolicyBuilder::build) checks the
    /// rest.
    pub fn from_config(
        name: impl Into<Arc<str>>,
        config: &Config,
    ) -> Result<RetryPolicyBuilder, InvalidRetryPolicy> {
        RetryPolicyBuilder::from_config(name.into(), config)
    }

    pub(super) fn new(
        name: Arc<str>,
        knobs: &Knobs,
        budget: Option<Budget>,
        owns_budget: bool,
        metrics: Option<&Metrics>,
    ) -> Result<Self, MetricsError> {
        let handles = metrics
            .map(|metrics| RetryMetrics::register(metrics, &name))
            .transpose()?;
        let core = Core {
            name,
            max_attempts: AtomicU32::new(knobs.max_attempts),
            methods: AtomicU32::new(knobs.methods.bits()),
            body_limit: AtomicUsize::new(knobs.body_limit),
            track_hosts: AtomicBool::new(knobs.track_hosts),
            waits: Mutex::new(knobs.waits),
            budget: budget.as_ref().map(Budget::downgrade),
            metrics: handles,
        };
        let core = Found::new(&POOL, core);
        let shared = Arc::new(Shared {
            budget,
            owns_budget,
            core,
        });
        policies::register(&shared);
        if let Some(metrics) = metrics {
            metrics.on_scrape_of(&shared, |shared| {
                if let Some(metrics) = &shared.core.metrics {
                    metrics.export();
                }
            });
        }
        Ok(Self { shared })
    }

    /// Begins a call, for retries without tower.
    ///
    /// ```
    /// use msf_core::classify::Classification;
    /// use msf_resilience::retry::{GiveUp, RetryPolicy};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let policy = RetryPolicy::builder("disk").build()?;
    /// let mut call = policy.begin();
    /// let reason = loop {
    ///     let outcome = Classification::FAILURE; // of the attempt that is made here
    ///     match call.after(&outcome, None) {
    ///         Ok(wait) => tokio::time::sleep(wait).await,
    ///         Err(reason) => break reason,
    ///     }
    /// };
    /// assert_eq!(reason, GiveUp::Attempts);
    /// assert_eq!(call.attempts(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn begin(&self) -> Call {
        Call::new(Arc::clone(self.shared.core.value()), self.shared.deposit())
    }

    /// All attempts of a call, the first included.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.shared.core.max_attempts()
    }

    /// The methods whose requests may be repeated without an `Idempotency-Key`.
    #[must_use]
    pub fn methods(&self) -> Methods {
        self.shared.core.methods()
    }

    /// How many bytes of a request's body are kept.
    #[must_use]
    pub fn body_limit(&self) -> usize {
        self.shared.core.terms().body_limit
    }

    /// The budget, unless it has none.
    #[must_use]
    pub fn budget(&self) -> Option<&Budget> {
        self.shared.budget.as_ref()
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.core.name
    }

    /// New numbers for calls that begin from now on. Name, metrics and budget stay; the rule of the policy's own budget is
    /// changed with it.
    ///
    /// # Errors
    ///
    /// [`InvalidRetryPolicy`], after which everything is as before.
    #[expect(clippy::needless_pass_by_value, reason = "builders are made for this")]
    pub fn reconfigure(&self, builder: RetryPolicyBuilder) -> Result<(), InvalidRetryPolicy> {
        let knobs = builder.knobs()?;
        let core = &*self.shared.core;
        if let (Some(budget), Some(rule)) = (&self.shared.budget, builder.own_rule())
            && self.shared.owns_budget
        {
            budget.reconfigure(rule)?;
        }
        core.max_attempts
            .store(knobs.max_attempts, Ordering::Relaxed);
        core.methods.store(knobs.methods.bits(), Ordering::Relaxed);
        core.body_limit.store(knobs.body_limit, Ordering::Relaxed);
        core.track_hosts.store(knobs.track_hosts, Ordering::Relaxed);
        *core.waits.lock().unwrap_or_else(PoisonError::into_inner) = knobs.waits;
        Ok(())
    }

    #[inline]
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Shared {
    /// Counts a call.
    #[inline]
    pub(super) fn deposit(&self) -> Deposit {
        if let Some(metrics) = &self.core.metrics {
            metrics.calls.add(1);
        }
        let budget = self.budget.as_ref();
        budget.map_or(Deposit::none(), Budget::deposit)
    }

    #[inline]
    pub(super) fn core(&self) -> &Core {
        &self.core
    }

    #[inline]
    pub(super) const fn late(&self) -> Late<Core> {
        self.core.late()
    }
}

impl Policy for Shared {
    fn snapshot(&self) -> Snapshot {
        let waits = self.core.waits();
        let snapshot = Snapshot::new(Kind::Retry, &self.core.name)
            .with("max_attempts", self.core.max_attempts().into())
            .with(
                "retry_after_max_seconds",
                waits.retry_after_max.as_secs_f64(),
            );
        match &self.budget {
            #[expect(clippy::cast_precision_loss, reason = "figures for people")]
            Some(budget) => snapshot.with("budget_available", budget.available() as f64),
            None => snapshot,
        }
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::Retry && *self.core.name == *name
    }
}

impl Core {
    #[inline]
    pub(super) fn max_attempts(&self) -> u32 {
        self.max_attempts.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn methods(&self) -> Methods {
        Methods::from_bits(self.methods.load(Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn terms(&self) -> Terms {
        Terms {
            body_limit: self.body_limit.load(Ordering::Relaxed),
            track_hosts: self.track_hosts.load(Ordering::Relaxed),
        }
    }

    pub(super) fn waits(&self) -> Waits {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("name", &self.name())
            .field("max_attempts", &self.max_attempts())
            .field("budget", &self.shared.budget)
            .finish_non_exhaustive()
    }
}
