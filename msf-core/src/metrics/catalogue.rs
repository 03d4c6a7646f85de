//! Every metric that msf-core registers, as data.

use std::fmt;

use super::{
    handle::{Counter, Gauge, Histogram, SecondsCounter},
    spec::Spec,
};

/// What a metric is, in the words of the Prometheus text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the kinds that families have; another kind is another family type"
)]
pub enum MetricKind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution over buckets.
    Histogram,
}

impl MetricKind {
    /// The word after `# TYPE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One row of a catalogue. Made by [`Spec::info`].
///
/// ```
/// let rows = msf_core::metrics::catalogue();
/// let row = rows.iter().find(|row| row.name == "msf_build_info").unwrap();
/// assert_eq!(row.kind.as_str(), "gauge");
/// assert_eq!(row.labels, ["service", "version"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricInfo {
    /// The name as it is exported.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// Its label names, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// The help text.
    pub help: &'static str,
}

/// Every metric that msf-core can register, sorted by name: the source of the documentation's table.
#[must_use]
pub fn catalogue() -> &'static [MetricInfo] {
    &CATALOGUE
}

pub(super) static HTTP_ACTIVE: Spec<Gauge, 1> = Spec::gauge(
    "http_server_active_requests",
    "Requests whose response body has not ended.",
    ["http_request_method"],
);

pub(super) static HTTP_DURATION: Spec<Histogram, 4> = Spec::histogram(
    "http_server_request_duration_seconds",
    "Time from the arrival of a request to the end of its response body.",
    [
        "http_request_method",
        "http_route",
        "http_response_status_code",
        "error_type",
    ],
);

pub(super) static BUILD_INFO: Spec<Gauge, 2> = Spec::gauge(
    "msf_build_info",
    "Always 1; the labels say what is running.",
    ["service", "version"],
);

pub(crate) static LOG_LINES_DROPPED: Spec<Counter, 0> = Spec::counter(
    "msf_log_lines_dropped_total",
    "Log lines that were never written because the output was stuck.",
    [],
);

pub(super) static OVERFLOW: Spec<Counter, 1> = Spec::counter(
    "msf_metrics_overflow_total",
    "Label sets folded into `other` because their family was full.",
    ["family"],
);

pub(crate) static OTLP_SPANS: Spec<Counter, 1> = Spec::counter(
    "msf_otlp_spans_total",
    "Finished spans by what became of them: exported, dropped (queue full) or failed (not taken).",
    ["outcome"],
);

pub(super) static RUNTIME_ALIVE_TASKS: Spec<Gauge, 1> = Spec::gauge(
    "msf_runtime_alive_tasks",
    "Tasks spawned on the tokio runtime that have not finished.",
    ["runtime"],
);

pub(super) static RUNTIME_QUEUE_DEPTH: Spec<Gauge, 1> = Spec::gauge(
    "msf_runtime_global_queue_depth",
    "Tasks waiting in the global queue of the tokio runtime.",
    ["runtime"],
);

pub(super) static RUNTIME_BUSY: Spec<SecondsCounter, 2> = Spec::seconds(
    "msf_runtime_worker_busy_seconds_total",
    "Time a worker of the tokio runtime was not parked.",
    ["runtime", "worker"],
);

pub(super) static RUNTIME_WORKERS: Spec<Gauge, 1> = Spec::gauge(
    "msf_runtime_workers",
    "Worker threads of the tokio runtime.",
    ["runtime"],
);

pub(crate) static SERVER_CONNECTIONS: Spec<Gauge, 0> = Spec::gauge(
    "msf_server_connections",
    "Open connections, upgraded ones included.",
    [],
);

pub(crate) static SERVER_REFUSED: Spec<Counter, 1> = Spec::counter(
    "msf_server_refused_total",
    "Clients that the server refused by itself, by reason: no service saw the request or the end of its response.",
    ["reason"],
);

static CATALOGUE: [MetricInfo; 19] = [
    HTTP_ACTIVE.info(),
    HTTP_DURATION.info(),
    BUILD_INFO.info(),
    LOG_LINES_DROPPED.info(),
    OVERFLOW.info(),
    OTLP_SPANS.info(),
    RUNTIME_ALIVE_TASKS.info(),
    RUNTIME_QUEUE_DEPTH.info(),
    RUNTIME_BUSY.info(),
    RUNTIME_WORKERS.info(),
    SERVER_CONNECTIONS.info(),
    SERVER_REFUSED.info(),
    process(
        "process_cpu_seconds_total",
        MetricKind::Counter,
        "Total user and system CPU time spent in seconds.",
    ),
    process(
        "process_max_fds",
        MetricKind::Gauge,
        "Maximum number of open file descriptors.",
    ),
    process(
        "process_open_fds",
        MetricKind::Gauge,
        "Number of open file descriptors.",
    ),
    process(
        "process_resident_memory_bytes",
        MetricKind::Gauge,
        "Resident memory size in bytes.",
    ),
    process(
        "process_start_time_seconds",
        MetricKind::Gauge,
        "Start time of the process since unix epoch in seconds.",
    ),
    process(
        "process_threads",
        MetricKind::Gauge,
        "Number of OS threads in the process.",
    ),
    process(
        "process_virtual_memory_bytes",
        MetricKind::Gauge,
        "Virtual memory size in bytes.",
    ),
];

/// A metric of prometheus' process collector, which has its own names and help; Linux only.
const fn process(name: &'static str, kind: MetricKind, help: &'static str) -> MetricInfo {
    MetricInfo {
        name,
        kind,
        labels: &[],
        help,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sorted_and_without_duplicates() {
        assert!(
            catalogue()
                .windows(2)
                .all(|pair| pair[0].name < pair[1].name)
        );
    }
}
