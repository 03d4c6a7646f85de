//! The registry of the shop: who is where, and who is well.

use std::{net::SocketAddr, time::Duration};

use msf_core::{BoxError, metrics::Metrics};
use msf_registry::{
    Balance, Registry,
    backend::{http::HttpRegistry, memory::MemoryRegistry},
    health::{HealthChecker, HealthChecks, Reach},
    server::RegistryServer,
};

use crate::settings::LEAVE_WAIT;

/// The server and what runs beside it.
pub(crate) struct Parts {
    pub(crate) server: RegistryServer,
    /// Ends when it is dropped.
    pub(crate) checks: HealthChecks,
}

/// The registry itself: in memory, since whoever is alive registers again within a [`LEASE_TTL`].
pub(crate) fn open(metrics: &Metrics) -> Result<Parts, BoxError> {
    let memory = MemoryRegistry::builder().warm_up(LEASE_TTL).build();
    let checks = HealthChecker::new()
        .interval(CHECK_INTERVAL)
        .timeout(CHECK_INTERVAL)
        .fall(2)
        // Everything is on this machine; nothing else is ours to call.
        .reach(Reach::default().only("127.0.0.0/8".parse()?))
        .metrics(metrics)
        .start(&memory)?;
    Ok(Parts {
        server: RegistryServer::new(memory),
        checks,
    })
}

/// The registry as the other services see it.
pub(crate) fn connect(addr: SocketAddr, metrics: &Metrics) -> Result<Registry, BoxError> {
    let backend = HttpRegistry::new(format!("http://{addr}"))?;
    Ok(Registry::builder(backend)
        .lease_ttl(LEASE_TTL)
        .drain_wait(LEAVE_WAIT)
        .balance(Balance::PeakEwma)
        .metrics(metrics)
        .build()?)
}

/// How long a dead process stays listed. Short: on one machine a renewal takes a millisecond, and a second of
/// silence means death. A refused connection is retried elsewhere meanwhile.
const LEASE_TTL: Duration = Duration::from_secs(3);

/// How often each service is asked whether it is ready; two failures in a row make it unhealthy.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
