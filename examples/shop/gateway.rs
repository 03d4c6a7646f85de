//! The door of the shop: which paths lead where, and who may pass.
//!
//! The services decide again for themselves. What is refused here costs them nothing, and what the gateway
//! cannot know, such as whose order it is, only they can decide. There is no route to `/internal`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use http::Method;
use msf_auth::{Verifier, policy::scope};
use msf_client::Client;
use msf_core::{BoxError, metrics::Metrics, server::DrainPlan};
use msf_gateway::{Gateway, GatewayServer, Key, RateKey, Route};
use msf_resilience::rate_limit::{Quota, RateLimiter};

use crate::settings::{DRAIN_MAX, Kind, WORKERS};

/// The gateway of the shop, on a port of loopback; its metrics are on another one.
pub(crate) fn open(
    client: Client,
    verifier: Verifier,
    metrics: &Metrics,
    port: u16,
) -> Result<GatewayServer, BoxError> {
    let logins = RateLimiter::builder(Quota::per_minute(LOGINS_PER_MINUTE).burst(LOGINS_AT_ONCE))
        .name("login")
        .metrics(metrics)
        .build()?;
    let gateway = Gateway::builder(client)
        .verifier(verifier)
        .routes(routes(&logins))
        .metrics(metrics)
        .build()?;
    let addr = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Ok(gateway
        .server(addr(port))
        .workers(WORKERS)
        .operations(addr(0))
        .drain_plan(DrainPlan::new(Duration::ZERO, DRAIN_MAX)))
}

/// Every route of the shop; what is not here is 404.
fn routes(logins: &RateLimiter<RateKey>) -> Vec<Route> {
    // Each hashes a password, which costs 20 MiB and tens of milliseconds: nobody needs many.
    let hashes = |path: &str| {
        Route::exact(path)
            .methods([Method::POST])
            .to(Kind::User.name())
            .public()
            .rate_limit(logins.clone(), Key::Client)
    };
    let to = |prefix: &str, kind: Kind, methods: &[Method]| {
        Route::prefix(prefix)
            .methods(methods.to_vec())
            .to(kind.name())
    };
    let own = [Method::GET, Method::PUT, Method::DELETE];
    vec![
        hashes("/api/users/register"),
        hashes("/api/users/login"),
        Route::exact("/api/users")
            .methods([Method::GET])
            .to(Kind::User.name())
            .policy(scope("users:admin")),
        to("/api/users", Kind::User, &own).policy(scope("users:self")),
        to("/api/inventory", Kind::Inventory, &[Method::GET]).public(),
        to("/api/orders", Kind::Order, &[Method::GET]).policy(scope("orders:read")),
        to("/api/orders", Kind::Order, &[Method::POST]).policy(scope("orders:write")),
        to("/api/orders", Kind::Order, &[Method::PUT]).policy(scope("orders:admin")),
        to("/api/payments", Kind::Payment, &[Method::GET]).policy(scope("payments:read")),
    ]
}

/// One in two seconds is more than a person needs, and fewer guesses than a password survives.
const LOGINS_PER_MINUTE: u32 = 30;
/// A household or an office behind one address.
const LOGINS_AT_ONCE: u32 = 20;
