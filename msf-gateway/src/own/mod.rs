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
//! | `healthy` | 200 | every service has an instance, and none is unhealthy |
//! | `degraded` | 200 | a service has no usable instance, or an instance is unhealthy |
//! | `unhealthy` | 503 | the gateway starts or drains, or no service has a usable instance |
//!
//! An instance is usable while it holds its lease and no health check has found it unhealthy.

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
