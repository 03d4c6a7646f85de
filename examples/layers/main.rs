//! Breaker, bulkhead and limit around plain axum, to be watched with curl: `cargo run --example layers`, then
//!
//! ```sh
//! curl -sw '\n' localhost:8080/policies                            # what each of them is doing, as JSON
//! for i in 1 2 3 4; do curl 'localhost:8080/report?broken'; done   # four failures open the circuit...
//! curl -iw '\n' localhost:8080/report                              # ...so 503, and Retry-After says when
//! sleep 3; for i in 1 2; do curl localhost:8080/report; done       # two probes succeed: closed again
//! for i in 1 2 3 4; do curl -sw '\n' localhost:8080/slow & done; wait   # two at a time; 503 for the others
//! for i in $(seq 30); do curl -so /dev/null -w '%{http_code} ' localhost:8080/report; done   # 20, then 429
//! ```

use std::{error::Error, net::Ipv4Addr, process::ExitCode, time::Duration};

use axum::{Json, Router, extract::Request, http::StatusCode, routing::get};
use msf_resilience::{
    bulkhead::{Bulkhead, BulkheadLayer},
    circuit_breaker::{CircuitBreaker, CircuitBreakerLayer, Ramp},
    policies,
    rate_limit::{Quota, RateLimitLayer, RateLimiter},
};

async fn report(request: Request) -> (StatusCode, &'static str) {
    match request.uri().query() {
        Some("broken") => (StatusCode::INTERNAL_SERVER_ERROR, "broken\n"),
        _ => (StatusCode::OK, "all is well\n"),
    }
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_secs(1)).await;
    "done\n"
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a person reads it")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let argument = std::env::args().nth(1);
    let Ok(port) = argument.as_deref().map_or(Ok(8080), str::parse::<u16>) else {
        println!("usage: layers [PORT]; the port is 8080 unless given, any free one if 0");
        return Ok(ExitCode::from(u8::from(
            argument.as_deref() != Some("--help"),
        )));
    };

    let breaker = CircuitBreaker::builder("report").min_calls(4);
    let breaker = breaker.half_open_permits(2).ramp(Ramp::none());
    let breaker = breaker.open_for(Duration::from_secs(3)).build()?;
    let bulkhead = Bulkhead::builder("slow").max_concurrent(2).build()?;
    let limiter = RateLimiter::builder(Quota::per_second(5).burst(20)).build()?;

    let app = Router::new()
        .route(
            "/report",
            get(report).layer(CircuitBreakerLayer::answering(breaker)),
        )
        .route("/slow", get(slow).layer(BulkheadLayer::answering(bulkhead)))
        .layer(RateLimitLayer::answering(limiter, |_: &Request| Some(())))
        .route("/policies", get(|| async { Json(policies::snapshots()) }));

    let bound = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener =
        bound.map_err(|error| format!("port {port}: {error}; give another as argument"))?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(ExitCode::SUCCESS)
}
