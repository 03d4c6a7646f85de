//! The paths that the gateway answers itself.
//!
//! | path | public listener | operations listener |
//! |---|---|---|
//! | `/health` | the gateway and the services that its routes lead to | and all others in the registry |
//! | `/livez` | 200 while the process can answer | the same |
//! | `/readyz`, `/healthz` | 200 while the gateway takes traffic, 503 when it starts or drains | the same |
//! | `/metrics` | 404, unless [`expose_metrics`](crate::GatewayBuilder::expose_metrics) | Prometheus text |
//!
//! They win over routes, so a route for `/` does not hide them, and they are neither traced nor counted,
//! since probes come every second and would bury real requests.
//!
//! # When is the gateway healthy
//!
//! A load balancer that asks `/health` must not take the gateway out because one service behind it is
//! down: the others still answer, and so would the next gateway. So the status is 503 only when the gateway
//! is of no use:
//!
//! | `status` | HTTP | when |
//! |---|---|---|
//! | `healthy` | 200 | every service has an instance, and nothing is held against any |
//! | `degraded` | 200 | anything else |
//! | `unhealthy` | 503 | the gateway starts or drains, or no service has an instance that its checks let be called |
//!
//! Each service has a word of its own, and a `reason` if it is not well:
//!
//! | `reason` | `status` | when |
//! |---|---|---|
//! | `no_instance` | `unhealthy` | nobody is registered |
//! | `circuit_open` | `unhealthy` | its breaker refuses calls, or probes |
//! | `checks` | `unhealthy` if none is left, else `degraded` | checks found an instance unhealthy, or its lease ran out |
//! | `calls` | the same | the last 3 calls to an instance failed, or it is ejected for failing |
//!
//! Where nobody is asked, calls are all there is to know: an endpoint that refuses connections counts as unhealthy after
//! three calls, and as healthy again after one that succeeds. What calls say never makes the gateway `unhealthy`: a
//! load balancer that took it out for that would end the calls that alone can find the service well again.

mod answers;
mod services;

use msf_core::health::Health;

pub(crate) use self::{
    answers::{OwnAnswers, OwnFuture, Scope},
    services::Services,
};

/// Whether no route may have this path.
pub(crate) fn is_reserved(path: &str) -> bool {
    matches!(path, HEALTH | "/healthz" | "/livez" | "/readyz" | METRICS)
}

/// The health of a gateway that starts.
pub(crate) fn health() -> Health {
    Health::new("gateway")
}

const HEALTH: &str = "/health";
const METRICS: &str = "/metrics";
