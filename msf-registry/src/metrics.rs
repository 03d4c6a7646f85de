//! The metrics of this crate.

use std::sync::Arc;

use msf_core::{
    clock,
    metrics::{Counter, Gauge, GaugeFamily, MetricInfo, Metrics, MetricsError, Spec},
    name::ServiceName,
};

use crate::{
    balance::Balance,
    model::Health,
    outlier::{EJECTED, EJECTIONS, Ejections},
    service::{Outcome, State},
};

/// Every metric that this crate can register, sorted by name.
#[must_use]
pub fn catalogue() -> &'static [MetricInfo] {
    &CATALOGUE
}

/// The families of one [`Registry`](crate::Registry).
#[derive(Clone, Debug)]
pub(crate) struct Families {
    metrics: Metrics,
    pub(crate) renewals: Renewals,
    pub(crate) cache_errors: CacheErrors,
}

/// What became of registering and renewing.
#[derive(Clone, Debug)]
pub(crate) struct Renewals {
    pub(crate) registered: Counter,
    pub(crate) ok: Counter,
    pub(crate) gone: Counter,
    pub(crate) error: Counter,
}

/// What went wrong with lists on disk.
#[derive(Clone, Debug)]
pub(crate) struct CacheErrors {
    pub(crate) read: Counter,
    pub(crate) write: Counter,
}

/// What became of picking an instance of one service, by the place of the outcome.
#[derive(Clone, Debug)]
pub(crate) struct Picks(pub(crate) [Counter; Outcome::ALL.len()]);

impl Families {
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        // All of them now, so that a clash of names shows at start and not with the first service.
        let renewals = RENEWALS.register(metrics)?;
        let cache_errors = CACHE_ERRORS.register(metrics)?;
        PICKS.register(metrics)?;
        INSTANCES.register(metrics)?;
        REVISION.register(metrics)?;
        AGE.register(metrics)?;
        STALE.register(metrics)?;
        EJECTED.register(metrics)?;
        EJECTIONS.register(metrics)?;
        Ok(Self {
            metrics: metrics.clone(),
            cache_errors: CacheErrors {
                read: cache_errors.with(["read"]),
                write: cache_errors.with(["write"]),
            },
            renewals: Renewals {
                registered: renewals.with(["registered"]),
                ok: renewals.with(["ok"]),
                gone: renewals.with(["gone"]),
                error: renewals.with(["error"]),
            },
        })
    }

    pub(crate) fn picks(&self, service: &ServiceName, balance: Balance) -> Picks {
        let Ok(picks) = PICKS.register(&self.metrics) else {
            return Picks::noop();
        };
        Picks(
            Outcome::ALL
                .map(|outcome| picks.with([service.as_str(), balance.as_str(), outcome.as_str()])),
        )
    }

    pub(crate) fn ejections(&self, service: &ServiceName) -> Ejections {
        Ejections::register(&self.metrics, service).unwrap_or_else(|_clash| Ejections::noop())
    }

    /// Reads the gauges of a service before every scrape, while somebody uses the service.
    pub(crate) fn observe(&self, state: &Arc<State>) {
        let service = state.service().as_str().to_owned();
        let gauges = (
            INSTANCES.register(&self.metrics),
            REVISION.register(&self.metrics),
            AGE.register(&self.metrics),
            STALE.register(&self.metrics),
        );
        let (Ok(instances), Ok(revision), Ok(age), Ok(stale)) = gauges else {
            return;
        };
        let gauges = Gauges::new(
            &instances,
            revision.with([&service]),
            age.with([&service]),
            stale.with([&service]),
            &service,
        );
        self.metrics
            .on_scrape_of(state, move |state| gauges.read(state));
    }
}

/// The gauges of one service.
struct Gauges {
    instances: [(Health, Gauge); 3],
    revision: Gauge,
    age: Gauge,
    stale: Gauge,
}

impl Gauges {
    fn new(
        instances: &GaugeFamily<2>,
        revision: Gauge,
        age: Gauge,
        stale: Gauge,
        service: &str,
    ) -> Self {
        let all = [Health::Healthy, Health::Unhealthy, Health::Unknown];
        Self {
            instances: all.map(|health| (health, instances.with([service, health.as_str()]))),
            revision,
            age,
            stale,
        }
    }

    fn read(&self, state: &State) {
        state.tell_picks();
        let snapshot = state.snapshot();
        for (health, gauge) in &self.instances {
            let listed = snapshot.instances().iter();
            gauge.set(listed.filter(|member| member.health == *health).count() as f64);
        }
        self.revision.set(snapshot.cursor().revision() as f64);
        let is_stale = !state.freshness().is_live();
        self.stale.set(f64::from(u8::from(is_stale)));
        if let Some(age) = state.age(clock::now()) {
            self.age.set(age.as_secs_f64());
        }
    }
}

impl Renewals {
    pub(crate) fn noop() -> Self {
        Self {
            registered: Counter::noop(),
            ok: Counter::noop(),
            gone: Counter::noop(),
            error: Counter::noop(),
        }
    }
}

impl CacheErrors {
    pub(crate) fn noop() -> Self {
        Self {
            read: Counter::noop(),
            write: Counter::noop(),
        }
    }
}

impl Picks {
    pub(crate) fn noop() -> Self {
        Self(Outcome::ALL.map(|_| Counter::noop()))
    }

    #[cfg(test)]
    pub(crate) fn counted(&self) -> [u64; Outcome::ALL.len()] {
        self.0.each_ref().map(Counter::get)
    }
}

static PICKS: Spec<Counter, 3> = Spec::counter(
    "msf_lb_picks_total",
    "Instances picked, by outcome: ok, panic (too few work, so health is not believed), spill (of another zone or priority, or one that works badly), probe (an ejected one that may be well again) or none (there was none).",
    ["service", "policy", "outcome"],
);

static CACHE_ERRORS: Spec<Counter, 1> = Spec::counter(
    "msf_registry_cache_errors_total",
    "Lists on disk that could not be read or written, by operation: read or write.",
    ["operation"],
);

static INSTANCES: Spec<Gauge, 2> = Spec::gauge(
    "msf_registry_instances",
    "Instances that the list in use of a service has, by health.",
    ["service", "health"],
);

static RENEWALS: Spec<Counter, 1> = Spec::counter(
    "msf_registry_lease_renewals_total",
    "Attempts to stay registered, by result: registered, ok (renewed), gone (lost) or error.",
    ["result"],
);

static AGE: Spec<Gauge, 1> = Spec::gauge(
    "msf_registry_snapshot_age_seconds",
    "Time since the registry last confirmed the list of instances.",
    ["service"],
);

static STALE: Spec<Gauge, 1> = Spec::gauge(
    "msf_registry_stale",
    "1 while the list in use is not what the registry says now: it is away, or has not answered yet.",
    ["service"],
);

static REVISION: Spec<Gauge, 1> = Spec::gauge(
    "msf_registry_snapshot_revision",
    "Revision of the list of instances in use.",
    ["service"],
);

pub(crate) static CHECKS: Spec<Counter, 3> = Spec::counter(
    "msf_health_checks_total",
    "Active health checks, by result: passed, failed, timeout, refused (it says no), out_of_reach or impeded.",
    ["service", "kind", "result"],
);

pub(crate) static CONFLICTS: Spec<Counter, 1> = Spec::counter(
    "msf_registry_id_conflicts_total",
    "Registrations of an id that a living instance elsewhere had, by outcome: displaced or refused.",
    ["outcome"],
);

pub(crate) static EVICTIONS: Spec<Counter, 1> = Spec::counter(
    "msf_registry_evictions_total",
    "Instances that a registry let go, by reason: expired, refuted (by a check) or overstayed (after self-preservation).",
    ["reason"],
);

pub(crate) static PAUSES: Spec<Counter, 0> = Spec::counter(
    "msf_registry_pauses_total",
    "How often the process of a registry stood still.",
    [],
);

pub(crate) static PRESERVATION: Spec<Gauge, 1> = Spec::gauge(
    "msf_registry_self_preservation",
    "1 while leases of a service do not run out because too few renewals arrive; of all services for *.",
    ["service"],
);

static CATALOGUE: [MetricInfo; 14] = [
    CHECKS.info(),
    PICKS.info(),
    EJECTED.info(),
    EJECTIONS.info(),
    CACHE_ERRORS.info(),
    EVICTIONS.info(),
    CONFLICTS.info(),
    INSTANCES.info(),
    RENEWALS.info(),
    PAUSES.info(),
    PRESERVATION.info(),
    AGE.info(),
    REVISION.info(),
    STALE.info(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sorted_and_named_by_the_rules() {
        assert!(catalogue().is_sorted_by_key(|row| row.name));
        assert!(catalogue().iter().all(|row| row.name.starts_with("msf_")));
    }
}
