//! A whole pipeline, with every part it can have, around a service of HTTP.

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use msf_core::BoxError;
use msf_resilience::{
    bulkhead::Bulkhead,
    circuit_breaker::CircuitBreaker,
    hedge::HedgePolicy,
    pipeline::http_client,
    rate_limit::{DirectLimiter, Quota},
    retry::RetryPolicy,
};
use tower::{Layer, Service};

use crate::{
    SECOND,
    calls::{Drops, calling},
    table::{Base, Table},
};

pub(crate) fn rows(table: &mut Table) -> Result<(), BoxError> {
    table.heading("a client's pipeline of HTTP");
    http(table, "(the service inside, subtracted below)", None, Drops);
    let base = Some(table.last());
    let client = http_client("some")
        .map_body(Body::new)
        .retry(RetryPolicy::builder("some").build()?)
        .circuit_breaker(CircuitBreaker::builder("some").build()?)
        .attempt_timeout(SECOND)
        .build()?;
    http(
        table,
        "msf, retry, breaker, timeout",
        base,
        client.layer(Drops),
    );
    let client = http_client("all")
        .map_body(Body::new)
        .deadline(Duration::from_secs(30))
        .retry(RetryPolicy::builder("all").build()?)
        .hedge(HedgePolicy::builder("all").after(SECOND).build()?)
        .rate_limit(DirectLimiter::builder(Quota::per_second(1_000_000_000)).build_direct()?)
        .bulkhead(Bulkhead::builder("all").max_concurrent(1_000).build()?)
        .circuit_breaker(CircuitBreaker::builder("all").build()?)
        .attempt_timeout(SECOND)
        .build()?;
    http(table, "msf, all parts", base, client.layer(Drops));
    Ok(())
}

fn http<S, B>(table: &mut Table, name: &'static str, base: Option<Base>, service: S)
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
{
    let request = || Request::new(Body::empty());
    let second = calling(service.clone(), request);
    table.runners(name, base, calling(service, request), Some(second));
}
