//! A registry for other processes, over HTTP.
//!
//! [`RegistryServer`] is a plain tower service over [`msf_core::server::Body`], so it is served by
//! [`msf_core::server::Server`], by `ServiceHost::builder("registry").router(server)`, or from within
//! an axum router. [`HttpRegistry`](crate::backend::http::HttpRegistry) is its client.
//!
//! ```
//! use msf_core::testing::TestClient;
//! use msf_registry::{backend::memory::MemoryRegistry, server::RegistryServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let client = TestClient::new(RegistryServer::new(MemoryRegistry::new()));
//! let answer = client.get("/v1/services").await;
//! assert_eq!(answer.status(), 200);
//! assert_eq!(answer.json::<serde_json::Value>()["authoritative"], false, "it is warming up");
//! # }
//! ```
//!
//! # Routes
//!
//! | request | answer |
//! |---|---|
//! | `PUT /v1/services/{service}/instances/{id}?ttl_ms=15000`, an instance as JSON | 200 `{lease, ttl_ms, epoch}` |
//! | `POST /v1/services/{service}/instances/{id}/renew`, header `x-msf-lease` | 200 `{ttl_ms, epoch}`; 404 when the lease is gone: register again |
//! | `DELETE /v1/services/{service}/instances/{id}`, header `x-msf-lease` | 204, also when it is gone |
//! | `GET /v1/services/{service}` | 200 `{service, epoch, revision, authoritative, instances}` |
//! | `GET /v1/services/{service}?epoch=E&after=R&wait_ms=25000` | the same as soon as it is not revision R of epoch E; 204 when that did not happen in time |
//! | `GET /v1/services` | 200 `{services, epoch, authoritative}` |
//! | `GET /v1/health` | 200 `{epoch, authoritative, instances, services, watchers}` |
//!
//! `HEAD` is answered wherever `GET` is. Errors are problem+json. The epoch names one life of the server's memory: when it changes, all
//! leases and revisions are void.
//!
//! # After a restart
//!
//! The memory is empty while the instances still run. For a [warm-up][`MemoryRegistryBuilder::warm_up`]
//! every answer says `authoritative: false`; callers then only add to what they have. Instances learn
//! at their next renewal that their lease is gone, and register again.
//!
//! # At the end
//!
//! When the server that it runs in closes its listener, requests that wait for a change are answered with 204, so
//! that they do not hold up the drain.
//!
//! # Limits
//!
//! | what | default | beyond it |
//! |---|---|---|
//! | instances | 100 000 ([`MemoryRegistryBuilder::instances_max`]) | 503 `overloaded` |
//! | body of a registration | 64 KiB | 413 |
//! | requests that wait for a change | 10 000 ([`RegistryServer::watchers_max`]) | 503 `overloaded` with `Retry-After` |
//! | time of such a wait | 30 s ([`MemoryRegistryBuilder::wait_max`]) | shortened |
//!
//! # Security
//!
//! There is no authentication yet: whoever reaches the server can register an instance of any service
//! and so receive its calls. Bind it to loopback or a network that only services reach.
//!
//! [`MemoryRegistryBuilder::warm_up`]: crate::backend::memory::MemoryRegistryBuilder::warm_up
//! [`MemoryRegistryBuilder::instances_max`]: crate::backend::memory::MemoryRegistryBuilder::instances_max
//! [`MemoryRegistryBuilder::wait_max`]: crate::backend::memory::MemoryRegistryBuilder::wait_max

mod access;
mod answer;
mod reading;
mod request;
mod route;
mod service;
mod stream;
#[cfg(test)]
mod tests;

pub use self::service::{RegistryServer, ResponseFuture};
