//! A registry in another process, over HTTP: the client of
//! [`RegistryServer`](crate::server::RegistryServer).
//!
//! ```
//! use msf_registry::{Registry, backend::http::HttpRegistry};
//!
//! let registry = Registry::new(HttpRegistry::new("http://127.0.0.1:8500")?);
//! assert!(HttpRegistry::new("https://registry").is_err(), "no TLS in this version");
//! # drop(registry);
//! # Ok::<(), msf_registry::backend::http::InvalidHttp>(())
//! ```
//!
//! It waits for changes by long polling and reads only what changed. The server's stream of events would cost less
//! per change; a question that always ends is simpler, and watches every backend with the same loop. Leases that are due together are renewed
//! in one call.
//!
//! Every call has a limit in time and every answer one in size. Redirects are not followed and no
//! proxy is used: what a registry says decides where calls go. Settings that cannot work are [`InvalidHttp`] before
//! the first call:
//!
//! ```
//! use std::time::Duration;
//! use msf_registry::backend::http::HttpRegistry;
//!
//! let patient = HttpRegistry::builder("http://127.0.0.1:8500").wait(Duration::from_secs(300));
//! assert_eq!(patient.build().unwrap_err().to_string(), "wait must be 100 ms to 60 s");
//! ```

mod builder;
mod client;
mod held;

pub use self::{
    builder::{HttpRegistryBuilder, InvalidHttp},
    client::HttpRegistry,
};
