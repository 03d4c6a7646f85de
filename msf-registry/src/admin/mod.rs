//! What a process knows about the services that it calls, as JSON.
//!
//! [`Admin`] is a tower service over a [`Registry`](crate::Registry), to be mounted on a listener that only
//! operators reach.
//!
//! | request | answer |
//! |---|---|
//! | `GET services` | 200 `{services: [{service, instances, revision, age_ms}]}`: those that this process watches |
//! | `GET services/{name}` | 200 `{service, epoch, revision, authority, age_ms, instances}`, each instance with its endpoints, its own status, the operator's and its health |
//! | `GET services/{name}/explain?key=user-17` | 200: why a pick would give the instance that it would give now, and why not each other one: an [`Explanation`](crate::Explanation) |
//!
//! `HEAD` is answered wherever `GET` is. What stands before the first segment is cut off by
//! [`Admin::under`]. A service that this process does not watch is 404: looking does not start a watch.
//! Errors are problem+json.
//!
//! ```
//! use msf_core::{name::ServiceName, testing::TestClient};
//! use msf_registry::{Registry, admin::Admin, backend::memory::MemoryRegistry};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::new(MemoryRegistry::new());
//! let payment = registry.service(&ServiceName::new("payment")?);
//! let client = TestClient::new(Admin::new(&registry).under("/admin"));
//!
//! let services: serde_json::Value = client.get("/admin/services").await.json();
//! assert_eq!(services["services"][0]["service"], "payment");
//! assert_eq!(client.get("/admin/services/user").await.status(), 404);
//! # drop(payment);
//! # Ok(())
//! # }
//! ```
//!
//! # Security
//!
//! It only reads, and it tells addresses and metadata of every service. Without
//! [`Admin::token`], whoever reaches it may read: mount it where only operators are, and set a token besides.

mod answer;
mod service;
#[cfg(test)]
mod tests;

pub use self::service::{Admin, ResponseFuture};
