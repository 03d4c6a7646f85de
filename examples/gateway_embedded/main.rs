//! A gateway as a part of a program: `cargo run --example gateway_embedded [PORT]`. Services are in `services.json`, which may change
//! while it runs; `/health` and `/metrics` say what it knows of them.
//!
//! ```text
//! curl -i localhost:8080/api/orders/7          401: no token
//! curl -i localhost:8080/api/inventory         503: nobody listens there yet, as `/health` says
//! ```

use std::net::{Ipv4Addr, SocketAddr};

use msf_auth::{HttpJwks, RemoteKeys, TrustedIssuer, Verifier, policy::authenticated};
use msf_client::Client;
use msf_core::{BoxError, host::Signals, metrics::Metrics, telemetry};
use msf_gateway::{Gateway, Key, RateKey, Route};
use msf_registry::{Registry, backend::file::FileRegistry};
use msf_resilience::rate_limit::{Quota, RateLimiter};

const SERVICES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/gateway_embedded/services.json"
);
const ISSUER: &str = "http://127.0.0.1:9001";

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let _telemetry = telemetry::init(&telemetry::LogConfig::default())?;
    let metrics = Metrics::new();
    let client = Client::builder(Registry::new(FileRegistry::open(SERVICES)?))
        .metrics(&metrics)
        .breaker(|breaker| breaker.min_calls(20));
    let keys = RemoteKeys::new(HttpJwks::discovery(ISSUER).allow_http_loopback().build()?);
    let trusted = TrustedIssuer::new(ISSUER, keys).audience("shop");
    let limiter = RateLimiter::<RateKey>::builder(Quota::per_second(100)).name("client");
    let limiter = limiter.metrics(&metrics).build()?;
    let to = |path: Route, service: &str| path.to(service).rate_limit(limiter.clone(), Key::Client);
    let open = |path| to(Route::exact(path), "user-service").public();
    let closed = |path, service| to(Route::prefix(path), service).policy(authenticated());
    let gateway = Gateway::builder(client.build()?)
        .verifier(Verifier::builder().issuer(trusted).build()?)
        .route(open("/api/users/register"))
        .route(open("/api/users/login"))
        .route(closed("/api/users", "user-service"))
        .route(closed("/api/orders", "order-service"))
        .route(closed("/api/payments", "payment-service"))
        .route(to(Route::prefix("/api/inventory"), "inventory-service").public())
        .metrics(&metrics)
        .expose_metrics()
        .build()?;
    let port = std::env::args().nth(1).map_or(Ok(8080), |it| it.parse())?;
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut signals = Signals::listen()?;
    let ended = async { _ = signals.next().await };
    gateway.server(addr).run_until(ended).await?;
    Ok(())
}
