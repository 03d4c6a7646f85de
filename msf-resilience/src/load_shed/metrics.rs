//! What a load shed exports.

use msf_core::metrics::{Counter, Gauge, MetricInfo, Metrics, MetricsError, Spec};

use super::{handle::Shared, priority::Class};
use crate::stripe::Exported;

static CALLS: Spec<Counter, 1> = Spec::counter(
    "msf_load_shed_calls_total",
    "Requests that a load shed has judged.",
    ["load_shed"],
);

static LOAD: Spec<Gauge, 1> = Spec::gauge(
    "msf_load_shed_load_ratio",
    "The load that a load shed saw last; from 1 on it sheds.",
    ["load_shed"],
);

static REFUSED: Spec<Counter, 2> = Spec::counter(
    "msf_load_shed_refused_total",
    "Requests that a load shed refused, by class: sheddable or default.",
    ["load_shed", "class"],
);

static SHARE: Spec<Gauge, 1> = Spec::gauge(
    "msf_load_shed_share_ratio",
    "The share of requests that are not critical that a load shed lets in.",
    ["load_shed"],
);

pub(crate) static CATALOGUE: [MetricInfo; 4] =
    [CALLS.info(), LOAD.info(), REFUSED.info(), SHARE.info()];

/// The series of one load shed, found when it is built.
#[derive(Debug)]
pub(super) struct LoadShedMetrics {
    calls: Exported,
    load: Gauge,
    share: Gauge,
    sheddable: Counter,
    default: Counter,
}

impl LoadShedMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let refused = REFUSED.register(metrics)?;
        let refused = |class: Class| refused.with([name, class.as_str()]);
        Ok(Self {
            calls: Exported::since(CALLS.register(metrics)?.with([name]), 0),
            load: LOAD.register(metrics)?.with([name]),
            share: SHARE.register(metrics)?.with([name]),
            sheddable: refused(Class::Sheddable),
            default: refused(Class::Default),
        })
    }

    pub(super) const fn refused(&self, class: Class) -> &Counter {
        match class {
            Class::Sheddable => &self.sheddable,
            // What is critical is never refused.
            Class::Default | Class::Critical => &self.default,
        }
    }

    pub(super) fn show(&self, shared: &Shared) {
        self.calls.show(shared.calls());
        let now = shared.now();
        self.load.set(now.load());
        self.share.set(now.share());
    }
}
