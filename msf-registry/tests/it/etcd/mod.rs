//! The etcd backend, against a real etcd and against one that lies.

mod auth;
mod hostile;
mod outage;
mod server;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use msf_registry::conformance::Suite;

use self::server::Etcd;

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn etcd_conforms() {
    let etcd = Etcd::start().await;
    let next = AtomicU64::new(0);
    let suite = Suite::new()
        .shortest_lease(Duration::from_secs(1))
        .grace(Duration::from_millis(1_500))
        .patience(Duration::from_secs(10));
    let make = || async {
        let nth = next.fetch_add(1, Ordering::Relaxed);
        etcd.registry(&format!("/conformance/{nth}"))
    };
    suite.run(make).await;
}
