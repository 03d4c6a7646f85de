//! A service, whole: [`ServiceHost`] wires every module of this crate around your routes.
//!
//! ```no_run
//! use axum::{Router, extract::Path, routing::get};
//! use msf_core::host::{HostError, ServiceHost};
//!
//! async fn hello(Path(name): Path<String>) -> String {
//!     format!("hello {name}")
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), HostError> {
//!     let routes = Router::new().route("/hello/{name}", get(hello));
//!     ServiceHost::builder("hello").router(routes).run().await
//! }
//! ```
//!
//! What it does, in this order:
//!
//! 1. loads [`HostConfig`] from a file, the environment and flags ([`config`](crate::config)); every
//!    mistake is reported at once, and `--help`, `--print-config` and `--check-config` work;
//! 2. sets up logs ([`telemetry`](crate::telemetry)), and trace export if an endpoint is configured;
//! 3. binds the address, so that a busy port is an error before anything has started;
//! 4. runs the `on_start` hooks, and only then is the service ready;
//! 5. serves your routes behind trace, metrics and problem layers, and beside them `/livez`, `/readyz`,
//!    `/healthz`, `/health` ([`health`](crate::health)) and `/metrics` ([`metrics`](crate::metrics));
//! 6. at SIGTERM or ctrl-c lets readiness fail, runs the `on_drain` hooks, and drains
//!    ([`server`](crate::server)); a second signal ends the process at once.
//!
//! # Settings of your own
//!
//! [`ServiceHost::with_settings`] reads your settings from the same file, environment and flags:
//!
//! ```no_run
//! use axum::Router;
//! use msf_core::{config::Plain, host::{HostError, ServiceHost}};
//!
//! #[derive(Default, serde::Serialize, serde::Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Settings {
//!     greeting: String, // MSF__GREETING, --greeting, or `greeting` in the file
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), HostError> {
//!     let (settings, host) = ServiceHost::with_settings::<Plain<Settings>>("hello")?;
//!     println!("{}", settings.greeting);
//!     host.router(Router::new()).run().await
//! }
//! ```
//!
//! # Several in one process, and tests
//!
//! [`ServiceHostBuilder::start`] starts a service without touching what belongs to the process: no
//! signals, no logs, no flags.
//!
//! ```
//! use std::convert::Infallible;
//! use http::Response;
//! use msf_core::{host::{HostConfig, ServiceHost}, server::Body};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::host::HostError> {
//! let mut config = HostConfig::default();
//! config.server.bind = "127.0.0.1:0".to_owned();
//!
//! let service = tower::service_fn(|_request| async {
//!     Ok::<_, Infallible>(Response::new(Body::from("hello")))
//! });
//! let running = ServiceHost::builder("hello").config(config).router(service).start().await?;
//! assert!(running.addr().port() > 0);
//!
//! running.stop().await?;
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "axum")]
#[path = "routes_axum.rs"]
mod axum_routes;
#[cfg(not(feature = "axum"))]
#[path = "routes_plain.rs"]
mod axum_routes;
mod builder;
mod config;
mod error;
#[cfg(feature = "otlp")]
mod export;
#[cfg(not(feature = "otlp"))]
#[path = "export_missing.rs"]
mod export;
mod hooks;
mod metrics;
mod ops;
mod routes;
mod run;
mod running;
mod signals;

pub use self::{
    builder::{ServiceHost, ServiceHostBuilder},
    config::{DrainConfig, HostConfig, HostSettings, ServerConfig},
    error::HostError,
    hooks::HostInfo,
    running::RunningHost,
    signals::Signals,
};
