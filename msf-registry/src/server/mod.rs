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
//! | `PUT /v1/services/{service}/instances/{id}?ttl_ms=15000`, an instance as JSON | 200 `{lease, ttl_ms, epoch}`; 409 while a living instance at another address keeps the id |
//! | `POST /v1/services/{service}/instances/{id}/renew`, header `x-msf-lease` | 200 `{ttl_ms, epoch}`; 404 when the lease is gone: register again |
//! | `POST /v1/renew`, `[{service, id, lease}]` | 200 `{epoch, results}`, each `ok` with its `ttl_ms`, `gone` or `invalid` |
//! | `DELETE /v1/services/{service}/instances/{id}`, header `x-msf-lease` | 204, also when it is gone |
//! | `PUT`, `DELETE` `.../instances/{id}/status`, header `x-msf-lease`, `{status}` | 204: what the instance says about itself, or `up` again |
//! | `PUT`, `DELETE` `.../instances/{id}/override`, an operator's token, `{status}` | 204: what counts instead, or no longer does |
//! | `GET /v1/services/{service}` | 200 `{service, epoch, revision, authoritative, authority, instances}` and an `ETag`; 304 for `If-None-Match` |
//! | `GET /v1/services/{service}?epoch=E&after=R&wait_ms=25000` | the same as soon as it is not revision R of epoch E; 204 when that did not happen in time |
//! | the same with `&delta=1` | `{.., after, changed, removed}` where the changes since R are known, else the whole |
//! | `GET /v1/services/{service}`, `Accept: text/event-stream` | events: `snapshot` and then `delta`, resumed by `Last-Event-ID`, or `reset` where that is lost |
//! | `GET /v1/services` | 200 `{services, epoch, authoritative}` |
//! | `GET /v1/health` | 200 `{epoch, authoritative, instances, services, watchers}` |
//!
//! `HEAD` is answered wherever `GET` is. Errors are problem+json. The epoch names one life of the server's
//! memory: when it changes, all leases and revisions are void. A list is encoded once per revision, however
//! many wait for it.
//!
//! # After a restart
//!
//! The memory is empty while the instances still run. For a [warm-up][`MemoryRegistryBuilder::warm_up`]
//! every answer says `authoritative: false`; callers then only add to what they have. Instances learn
//! at their next renewal that their lease is gone, and register again.
//!
//! # At the end
//!
//! When the server that it runs in closes its listener, requests that wait for a change are answered with 204 and
//! streams end, so that they do not hold up the drain.
//!
//! # Limits
//!
//! | what | default | beyond it |
//! |---|---|---|
//! | instances | 100 000 ([`MemoryRegistryBuilder::instances_max`]) | 503 `overloaded` |
//! | body of a registration, of a batch, of a status | 64 KiB, 512 KiB, 1 KiB | 413 |
//! | leases in a batch | 1 000 | 422 |
//! | requests and streams that wait for a change | 10 000 ([`RegistryServer::watchers_max`]) | 503 `overloaded` with `Retry-After` |
//! | time of such a wait | 30 s ([`MemoryRegistryBuilder::wait_max`]) | shortened |
//! | life of a stream | 10 min ([`RegistryServer::stream_max`]) | ended; its reader goes on where it was |
//!
//! # Security
//!
//! Without [`RegistryServer::token`], whoever reaches the server can register an instance of any service and
//! so receive its calls. Without [`RegistryServer::operator_token`], nobody can set an override: that a
//! request comes from this machine proves little where proxies are. Tokens are compared in constant time, and
//! go over plain HTTP: bind the server to loopback or a network that only services reach, or put a proxy with
//! TLS in front. Addresses that callers and checks should not ask are refused by [`RegistryServer::reach`].
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

pub(crate) use self::access::{Access, Scope};
pub use self::service::{RegistryServer, ResponseFuture};
