//! The handle: one of the three kinds with a name, a clock and metrics.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use msf_core::{
    clock::Epoch,
    metrics::{Metrics, MetricsError},
};

use super::{
    builder::BudgetBuilder,
    class::Class,
    error::{BudgetExhausted, InvalidBudget},
    guard::{Deposit, Hold, Taken, Withdrawal},
    in_flight::InFlight,
    metrics::BudgetMetrics,
    quota::Quota,
    rule::{self, Rule, parts},
    slots,
    window::{Allowance, BUCKETS, Window},
};
use crate::{
    policies::{self, Kind, Policy, Snapshot},
    slot::Owner,
};

/// A bound on additional calls: retries and hedges. Clones share it, and so may several policies.
///
/// It needs no runtime and no tower: [`deposit`](Self::deposit) for each call,
/// [`try_withdraw`](Self::try_withdraw) before each additional one.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::budget::{Budget, Rule};
///
/// let rule = Rule::deposits(0.2, 0, Duration::from_secs(10));
/// let budget = Budget::builder("payment").rule(rule).build()?;
///
/// for _ in 0..9 {
///     let _call = budget.deposit();
/// }
/// assert!(budget.try_withdraw().is_some());
/// assert!(budget.try_withdraw().is_none(), "9 calls allow 1.8");
/// # Ok::<(), msf_resilience::budget::InvalidBudget>(())
/// ```
#[derive(Clone)]
pub struct Budget {
    shared: Arc<Shared>,
    takes_deposits: bool,
}

/// A budget that others keep.
#[derive(Clone)]
pub(crate) struct WeakBudget {
    shared: Weak<Shared>,
    takes_deposits: bool,
}

struct Shared {
    name: Arc<str>,
    counts: Counts,
    rule: Mutex<Rule>,
    metrics: Option<BudgetMetrics>,
}

enum Counts {
    Deposits {
        window: Arc<Window>,
        epoch: Epoch,
        /// Length of one bucket of the window; never 0.
        bucket_ns: u64,
    },
    Concurrency(Owner<InFlight>),
    Quota {
        quota: Owner<Quota>,
        generation: u32,
    },
}

impl Budget {
    /// Begins a budget. The name appears in errors and as a metric label: use the callee's.
    pub fn builder(name: impl Into<Arc<str>>) -> BudgetBuilder {
        BudgetBuilder::new(name.into())
    }

    pub(super) fn new(
        name: Arc<str>,
        rule: Rule,
        metrics: Option<&Metrics>,
    ) -> Result<Self, MetricsError> {
        let handles = metrics
            .map(|metrics| BudgetMetrics::register(metrics, &name))
            .transpose()?;
        let shared = Arc::new(Shared {
            name,
            counts: Counts::new(&rule),
            rule: Mutex::new(rule),
            metrics: handles,
        });
        policies::register(&shared);
        if let Some(metrics) = metrics {
            metrics.on_scrape_of(&shared, |shared| {
                if let Some(metrics) = &shared.metrics {
                    metrics.show(shared.counts.available());
                }
            });
        }
        Ok(Self {
            shared,
            takes_deposits: true,
        })
    }

    /// Counts a call: its first attempt, not the additional ones.
    ///
    /// It takes no lock and, but for a quota that is not full, writes to no word that another thread writes to as well.
    #[inline]
    pub fn deposit(&self) -> Deposit {
        if !self.takes_deposits {
            return Deposit::none();
        }
        Deposit::new(match &self.shared.counts {
            Counts::Deposits {
                window,
                epoch,
                bucket_ns,
            } => {
                window.deposit(epoch.coarse_nanos() / bucket_ns);
                Hold::Nothing
            }
            Counts::Concurrency(in_flight) => {
                in_flight.begin();
                Hold::InFlight(in_flight.slot())
            }
            Counts::Quota { quota, generation } => Hold::Quota {
                quota: quota.slot(),
                generation: *generation,
            },
        })
    }

    /// The same budget for a second policy around the same calls, such as a hedge inside a retry: it withdraws from it, and
    /// its [`deposit`](Self::deposit) counts nothing, since the calls are counted already.
    ///
    /// ```
    /// use msf_resilience::budget::{Budget, Rule};
    ///
    /// let budget = Budget::builder("payment").rule(Rule::concurrency(1.0, 0)).build()?;
    /// let hedging = budget.without_deposits();
    /// let _call = (budget.deposit(), hedging.deposit());
    /// assert_eq!(budget.available(), 1);
    /// assert_eq!(hedging.available(), 1);
    /// # Ok::<(), msf_resilience::budget::InvalidBudget>(())
    /// ```
    #[must_use]
    pub fn without_deposits(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            takes_deposits: false,
        }
    }

    /// Asks to make one additional call after a transient failure, or because the first is slow.
    ///
    /// Of any number of callers at the same time, no more get it than the budget allows.
    #[must_use = "the additional call may be made only with the withdrawal"]
    pub fn try_withdraw(&self) -> Option<Withdrawal> {
        self.try_withdraw_for(Class::Transient)
    }

    /// Asks to make one additional call after a failure of this class.
    #[must_use = "the additional call may be made only with the withdrawal"]
    pub fn try_withdraw_for(&self, class: Class) -> Option<Withdrawal> {
        let withdrawal = self.shared.counts.withdraw(class);
        if let Some(metrics) = &self.shared.metrics {
            let counter = match withdrawal {
                Some(_) => &metrics.granted,
                None => &metrics.refused,
            };
            counter.inc();
        }
        withdrawal
    }

    /// How many additional calls after transient failures would be allowed now.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.shared.counts.available()
    }

    /// The error for callers who are told that the budget is used up.
    #[must_use]
    pub fn exhausted(&self) -> BudgetExhausted {
        BudgetExhausted::new(Arc::clone(&self.shared.name))
    }

    /// Whether both count the same calls.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub(crate) fn downgrade(&self) -> WeakBudget {
        WeakBudget {
            shared: Arc::downgrade(&self.shared),
            takes_deposits: self.takes_deposits,
        }
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The rule that holds.
    #[must_use]
    pub fn rule(&self) -> Rule {
        *self
            .shared
            .rule
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// New numbers with the same counts.
    ///
    /// # Errors
    ///
    /// [`InvalidBudget`] when a number is out of its range, or the rule is of another kind or has another ttl.
    pub fn reconfigure(&self, rule: Rule) -> Result<(), InvalidBudget> {
        rule.check()?;
        let mut present = self
            .shared
            .rule
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match (&self.shared.counts, &*present, rule) {
            (
                Counts::Deposits { window, .. },
                Rule::Deposits { ttl: before, .. },
                Rule::Deposits {
                    ratio,
                    min_per_second,
                    ttl,
                },
            ) if *before == ttl => window.set_allowance(allowance(ratio, min_per_second, ttl)),
            (Counts::Concurrency(in_flight), _, Rule::Concurrency { ratio, min }) => {
                in_flight.set(parts(ratio), min.into());
            }
            (
                Counts::Quota { quota, .. },
                _,
                Rule::Quota {
                    capacity,
                    transient_cost,
                    throttled_cost,
                },
            ) => quota.set(capacity, transient_cost, throttled_cost),
            _ => return Err(InvalidBudget::Fixed),
        }
        *present = rule;
        Ok(())
    }
}

impl WeakBudget {
    pub(crate) fn upgrade(&self) -> Option<Budget> {
        Some(Budget {
            shared: self.shared.upgrade()?,
            takes_deposits: self.takes_deposits,
        })
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("name", &self.name())
            .field("rule", &self.rule())
            .field("available", &self.available())
            .finish()
    }
}

impl Counts {
    fn new(rule: &Rule) -> Self {
        match *rule {
            Rule::Deposits {
                ratio,
                min_per_second,
                ttl,
            } => Self::Deposits {
                window: Arc::new(Window::new(allowance(ratio, min_per_second, ttl))),
                epoch: Epoch::new(),
                bucket_ns: u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX) / BUCKETS,
            },
            Rule::Concurrency { ratio, min } => {
                Self::Concurrency(slots::IN_FLIGHT.take(InFlight::new, |slot| {
                    slot.open(parts(ratio), min.into());
                }))
            }
            Rule::Quota {
                capacity,
                transient_cost,
                throttled_cost,
            } => {
                let quota = slots::QUOTAS.take(Quota::new, |slot| {
                    slot.reset(capacity, transient_cost, throttled_cost);
                });
                let generation = quota.generation();
                Self::Quota { quota, generation }
            }
        }
    }

    fn withdraw(&self, class: Class) -> Option<Withdrawal> {
        match self {
            Self::Deposits {
                window,
                epoch,
                bucket_ns,
            } => window
                .withdraw(epoch.coarse_nanos() / bucket_ns)
                .map(|tick| {
                    let window = Arc::clone(window);
                    Withdrawal::new(Taken::Window { window, tick })
                }),
            Self::Concurrency(in_flight) => in_flight
                .begin_additional()
                .then(|| Withdrawal::new(Taken::InFlight(in_flight.slot()))),
            Self::Quota { quota, generation } => {
                let (generation, cost) = (*generation, quota.cost(class));
                quota.take(generation, cost).then(|| {
                    let quota = quota.slot();
                    Withdrawal::new(Taken::Quota {
                        quota,
                        generation,
                        cost,
                    })
                })
            }
        }
    }

    fn available(&self) -> u64 {
        match self {
            Self::Deposits {
                window,
                epoch,
                bucket_ns,
            } => window.available(epoch.coarse_nanos() / bucket_ns),
            Self::Concurrency(in_flight) => in_flight.available(),
            Self::Quota { quota, .. } => {
                u64::from(quota.tokens() / quota.cost(Class::Transient).max(1))
            }
        }
    }
}

impl Policy for Shared {
    fn snapshot(&self) -> Snapshot {
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let figure = |count: u64| count as f64;
        let snapshot = Snapshot::new(Kind::Budget, &self.name);
        let snapshot = snapshot.with("available", figure(self.counts.available()));
        match &self.counts {
            Counts::Deposits { .. } => snapshot,
            Counts::Concurrency(in_flight) => snapshot
                .with("calls_in_flight", figure(in_flight.calls()))
                .with("additional_in_flight", figure(in_flight.additional())),
            Counts::Quota { quota, .. } => snapshot
                .with("tokens", figure(quota.tokens().into()))
                .with("capacity", figure(quota.capacity().into())),
        }
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::Budget && *self.name == *name
    }
}

fn allowance(ratio: f64, min_per_second: u32, ttl: Duration) -> Allowance {
    Allowance {
        ratio: parts(ratio),
        reserve: rule::reserve(min_per_second, ttl),
    }
}
