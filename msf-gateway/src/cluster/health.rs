//! Active health checks.

use std::time::Duration;

use msf_registry::{
    Registry,
    health::{HealthChecker, HealthChecks},
};

use super::error::InvalidCluster;

/// How the endpoints of a cluster are asked whether they work.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`interval`](Self::interval) | 10 s | |
/// | [`timeout`](Self::timeout) | 2 s | |
/// | [`rise`](Self::rise) | 2 | |
/// | [`fall`](Self::fall) | 3 | one lost packet is no verdict |
///
/// ```
/// use std::time::Duration;
/// use msf_gateway::{Cluster, ClusterHealth};
///
/// let users = Cluster::new("users")
///     .endpoint("http://10.0.0.1:9001")
///     .health(ClusterHealth::new("/healthz").interval(Duration::from_secs(5)));
/// # drop(users);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nobody is asked until a cluster has it"]
pub struct ClusterHealth {
    check: String,
    interval: Option<Duration>,
    timeout: Option<Duration>,
    rise: Option<u32>,
    fall: Option<u32>,
}

impl ClusterHealth {
    /// Asks this: a path such as `/healthz`, `tcp:` or `grpc:/my.Service`; see [`msf_registry::HealthCheck`].
    pub fn new(check: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            interval: None,
            timeout: None,
            rise: None,
            fall: None,
        }
    }

    /// How often each endpoint is asked.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// How long an answer may take.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Passes in a row that make an endpoint healthy.
    pub const fn rise(mut self, passes: u32) -> Self {
        self.rise = Some(passes);
        self
    }

    /// Failures in a row that make it unhealthy.
    pub const fn fall(mut self, failures: u32) -> Self {
        self.fall = Some(failures);
        self
    }

    pub(super) fn start(&self, registry: &Registry) -> Result<HealthChecks, InvalidCluster> {
        let invalid = |error: String| InvalidCluster::Health(error);
        let check = self.check.parse();
        let check =
            check.map_err(|error: msf_registry::InvalidHealthCheck| invalid(error.to_string()))?;
        let mut checker = HealthChecker::new().check(check);
        if let Some(interval) = self.interval {
            // Who asks often wants to know soon.
            checker = checker.interval(interval).edge_interval(interval.min(EDGE));
        }
        if let Some(timeout) = self.timeout {
            checker = checker.timeout(timeout);
        }
        if let Some(passes) = self.rise {
            checker = checker.rise(passes);
        }
        if let Some(failures) = self.fall {
            checker = checker.fall(failures);
        }
        let checks = registry.start_health_checking(checker);
        checks.map_err(|error| invalid(error.to_string()))
    }
}

/// How soon an endpoint that has just failed or passed is asked again.
const EDGE: Duration = Duration::from_secs(1);
