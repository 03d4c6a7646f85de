//! Load balancing as a tower service.
//!
//! [`Balanced`] is a [`Service`](tower_service::Service) over `http::Request` that sends each request to an instance
//! which its [`ServiceHandle`](crate::ServiceHandle) picks, through a service of its own for each instance. It is
//! always ready and `Clone`, so it needs no `Buffer`: picking, being ready and calling happen in the future of the
//! call, and clones share everything.
//!
//! ```
//! use std::convert::Infallible;
//! use http::{Request, Response};
//! use msf_core::{body::Body, name::{InstanceId, ServiceName}};
//! use msf_registry::{Instance, Registry, backend::memory::MemoryRegistry, balanced::Balanced};
//! use tower::{ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let registry = Registry::new(MemoryRegistry::new());
//! # let payment = ServiceName::new("payment")?;
//! # let id = InstanceId::random(&payment);
//! # let _here = registry.register(Instance::new(payment.clone(), id, "127.0.0.1:8080".parse()?));
//! let client = Balanced::new(registry.service(&payment), |instance: &Instance| {
//!     let addr = instance.addr(); // a real one would connect
//!     service_fn(move |_: Request<()>| async move {
//!         Ok::<_, Infallible>(Response::new(Body::from(addr.to_string())))
//!     })
//! })
//! .wait_for_endpoints(std::time::Duration::from_secs(1));
//!
//! let answer = client.oneshot(Request::get("/").body(())?).await?;
//! assert_eq!(answer.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! - The **outcome** is recorded once, at the head of the response, by [`classify::Http`](msf_core::classify::Http)
//!   or [what is set](Balanced::classify). The call is **in flight** until the body has ended.
//! - The service of an instance is made by the first call that goes there and kept until the instance leaves the
//!   list, or says that it will never be ready again. It must be `Clone + Send + Sync`; each call polls a clone until
//!   it is ready and calls that one, so a limit inside it holds callers back, who are in flight meanwhile.
//! - Without an instance a call fails with [`Error::NoEndpoints`]: at once, or after
//!   [`wait_for_endpoints`](Balanced::wait_for_endpoints).
//! - A retry above avoids instances that were [`Tried`].
//!
//! A limit of time belongs above: nothing here ends a call that an instance never answers. Where tower's own
//! balancer is wanted, [`Discovered`] feeds it.

mod body;
mod cache;
mod discover;
mod error;
mod future;
mod make;
mod service;
#[cfg(test)]
mod tests;
mod tried;

pub use self::{
    body::ResponseBody, discover::Discovered, error::Error, future::ResponseFuture,
    make::MakeEndpoint, service::Balanced, tried::Tried,
};
