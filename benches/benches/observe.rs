//! What the layers around every route cost: `cargo bench -p msf-benches --bench observe`.
//!
//! One request through a service that answers at once, with and without the layers, each layer built once. The
//! request carries one extension, as the server gives every request one. The table's overhead is the
//! difference of medians of rounds taken in turns; criterion's figures below it are for comparing two
//! revisions with each other.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{convert::Infallible, io};

use bytes::Bytes;
use criterion::Criterion;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use msf_benches::rounds::{Candidate, measure};
use msf_core::{
    BoxError,
    metrics::{HttpMetricsLayer, Metrics},
    route::MatchedRoute,
    telemetry::{LogConfig, TelemetrySetup},
    testing::allocations,
    trace::{AccessLog, TraceLayer},
};
use tokio::runtime::Runtime;
use tower::{Layer, Service, ServiceExt, service_fn};
use tracing::Dispatch;

fn main() -> Result<(), BoxError> {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, operations) = if is_quick { (11, 2_000) } else { (41, 20_000) };

    println!("without a subscriber");
    print(&mut candidates(&runtime)?, rounds, operations);

    println!("with telemetry, JSON lines into a sink");
    let setup = TelemetrySetup::new(&LogConfig::default());
    let (dispatch, _telemetry) = setup.into_dispatch(io::sink())?;
    tracing::dispatcher::with_default(&dispatch, || -> Result<(), BoxError> {
        print(&mut candidates(&runtime)?, rounds, operations);
        Ok(())
    })?;

    tracing::dispatcher::with_default(&Dispatch::none(), || -> Result<(), BoxError> {
        let mut group = criterion.benchmark_group("observe");
        for mut candidate in candidates(&runtime)? {
            group.bench_function(candidate.name(), |bencher| bencher.iter(|| candidate.run()));
        }
        group.finish();
        Ok(())
    })?;
    criterion.final_summary();
    Ok(())
}

fn candidates(runtime: &Runtime) -> Result<Vec<Candidate<'_>>, BoxError> {
    let metrics = HttpMetricsLayer::new(&Metrics::new())?;
    let trace = TraceLayer::new().access_log(AccessLog::Failures);
    let logging = TraceLayer::new();
    Ok(vec![
        candidate(runtime, "bare service", bare()),
        candidate(runtime, "trace", trace.layer(bare())),
        candidate(runtime, "metrics", metrics.layer(bare())),
        candidate(
            runtime,
            "trace + metrics",
            trace.layer(metrics.layer(bare())),
        ),
        candidate(
            runtime,
            "trace + metrics + access line",
            logging.layer(metrics.layer(bare())),
        ),
    ])
}

fn bare() -> impl Service<
    Request<Empty<Bytes>>,
    Response = Response<Full<Bytes>>,
    Error = Infallible,
    Future: Send,
> + Clone {
    service_fn(|_request: Request<Empty<Bytes>>| async {
        let mut response = Response::new(Full::from("hello"));
        let text = HeaderValue::from_static("text/plain");
        response.headers_mut().insert("content-type", text);
        Ok(response)
    })
}

fn candidate<'a, S, B>(runtime: &'a Runtime, name: &'static str, service: S) -> Candidate<'a>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible> + Clone + 'a,
    B: http_body::Body<Data = Bytes> + Unpin,
{
    Candidate::new(name, move || {
        let request = request();
        let service = service.clone();
        runtime.block_on(async move {
            let mut response = match service.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            while response.frame().await.is_some() {}
        });
    })
}

/// A request as a browser's proxy sends it, with the extension that a router leaves.
fn request() -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = http::Uri::from_static("/hello/you");
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("localhost"));
    headers.insert("user-agent", HeaderValue::from_static("curl/8.0"));
    headers.insert("accept", HeaderValue::from_static("*/*"));
    request
        .extensions_mut()
        .insert(ROUTE.with(MatchedRoute::clone));
    request
}

thread_local! {
    static ROUTE: MatchedRoute = MatchedRoute::new("/hello/{name}");
}

fn print(candidates: &mut [Candidate<'_>], rounds: u32, operations: u32) {
    let measured = measure(candidates, rounds, operations);
    println!(
        "  {:<32}{:>10}{:>12}{:>14}",
        "", "ns", "overhead", "allocations"
    );
    let mut bare = None;
    for (candidate, row) in candidates.iter_mut().zip(measured) {
        let count = allocations(|| candidate.run()).count;
        let (bare_ns, bare_count) = *bare.get_or_insert((row.ns, count));
        println!(
            "  {:<32}{:>10.0}{:>12.0}{:>14}",
            row.name,
            row.ns,
            row.ns - bare_ns,
            format!("+{}", count.saturating_sub(bare_count)),
        );
    }
    println!();
}
