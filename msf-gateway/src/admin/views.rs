//! What is shown.

use std::sync::Arc;

use msf_client::ServiceClient;
use msf_core::problem::{Code, Problem};
use msf_registry::PickContext;
use msf_resilience::circuit_breaker::CircuitBreaker;
use serde_json::{Map, Value, json};

use super::explain::Asked;
use crate::{
    explain,
    gateway::{CheckedRoute, Gateway},
    pipeline::Shared,
    route::{Match, Setting},
};

/// Every route, in the order in which they were written.
pub(super) fn routes(shared: &Shared) -> Value {
    let route = |(matches, route): (&Match, &Arc<CheckedRoute>)| {
        let mut document = Map::new();
        document.insert("id".to_owned(), matches.label().into());
        document.insert("match".to_owned(), matches.to_string().into());
        for Setting { name, value } in explain::settings(route, shared) {
            document.insert(name.replace(' ', "_"), value.into());
        }
        Value::Object(document)
    };
    json!({ "routes": shared.table.iter().map(route).collect::<Vec<_>>() })
}

/// Every service that routes lead to, with its instances.
pub(super) fn clusters(shared: &Shared) -> Value {
    let cluster = |client: ServiceClient| {
        let instances = client.instances();
        let explained = instances.explain(&PickContext::new());
        let all = explained.candidates.len();
        let shown: Vec<Value> = explained
            .candidates
            .into_iter()
            .take(INSTANCES_MAX)
            .map(|it| {
                json!({
                    "id": it.id,
                    "addr": it.addr,
                    "zone": it.zone,
                    "status": it.status,
                    "health": it.health,
                    "routable": it.routable,
                    "in_flight": it.in_flight,
                    "ewma_ms": it.ewma_ms,
                    "slow_start": it.slow_start,
                })
            })
            .collect();
        json!({
            "name": client.name(),
            "load_balancing": explained.balance,
            "freshness": instances.freshness().as_str(),
            "age_ms": instances.age().map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            "breaker": client.breaker().state().as_str(),
            "instances": shown,
            "instances_total": all,
        })
    };
    json!({ "clusters": all(shared).map(cluster).collect::<Vec<_>>() })
}

/// Every breaker.
pub(super) fn breakers(shared: &Shared) -> Value {
    let breakers = all(shared).map(|client| breaker(client.breaker()));
    json!({ "breakers": breakers.collect::<Vec<_>>() })
}

pub(super) fn breaker(breaker: &CircuitBreaker) -> Value {
    let now = breaker.snapshot();
    json!({
        "service": breaker.name(),
        "state": now.state.as_str(),
        "state_for_ms": millis(now.state_for),
        "retry_after_ms": now.retry_after.map(millis),
        "openings": now.openings,
        "succeeded": now.succeeded,
        "failed": now.failed,
        "slow": now.slow,
        "cancelled": now.cancelled,
        "consecutive_failures": now.consecutive_failures,
        "failure_rate": now.failure_rate(),
    })
}

/// What the gateway knows of itself.
pub(super) fn config(gateway: &Gateway, shared: &Shared) -> Value {
    json!({
        "revision": gateway.revision().get(),
        "routes": shared.table.iter().count(),
        "clusters": shared.clusters.keys().collect::<Vec<_>>(),
        "verifies_tokens": shared.verifier.is_some(),
        "exposes_metrics": shared.own.exposes_metrics,
        "access_log": shared.access_log.is_some(),
        "gateway_headers": shared.gateway_headers,
    })
}

/// What would become of a request.
pub(super) fn explain(gateway: &Gateway, asked: &Asked) -> Value {
    let explanation = gateway.explain(&asked.probe());
    let mut document = json!(explanation);
    if let Some(document) = document.as_object_mut() {
        document.insert("text".to_owned(), explanation.to_string().into());
    }
    document
}

/// The client of a service that a route leads to.
pub(super) fn find(shared: &Shared, service: &str) -> Result<ServiceClient, Problem> {
    let found = all(shared).find(|client| client.name() == service);
    found
        .ok_or_else(|| Problem::new(Code::NotFound).with_detail("no route leads to such a service"))
}

fn all(shared: &Shared) -> impl Iterator<Item = ServiceClient> {
    shared
        .clusters
        .values()
        .map(|cluster| cluster.client().clone())
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// More than anybody reads; the number of all is told beside.
const INSTANCES_MAX: usize = 500;
