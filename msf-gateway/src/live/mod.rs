//! Another configuration while the gateway runs.
//!
//! [`Gateway::apply`](crate::Gateway::apply) replaces routes, policies and clusters at once: a request sees all of
//! the old ones or all of the new ones. What is in flight ends as it began.
//!
#![cfg_attr(
    feature = "config",
    doc = "[`LiveGateway`] does so with a file ([`FileProvider`]), or with whatever a program reads its \
           configuration from ([`ConfigProvider`])."
)]
//!
//! # What stays
//!
//! - Connections of clients, and those to upstreams.
//! - Of clusters that are defined as before: circuit breakers, latencies, ejections. Of services: everything.
//! - Of routes with the same id, or without one the same match, and the same limit: who was counted.
//! - Of an `[auth]` that did not change: the keys that were fetched.
//!
//! # What needs a restart
//!
//! `workers`, `listeners` (but not whom they trust, their redirect and their certificates), `admin`, `drain`, `access_log`, and how calls of discovered
//! clusters are spread: the rest of the file is applied, and
//! the status says which keys wait. Another `registry` is refused, since routes would lead nowhere.
//!
//! # What is wrong
//!
//! A file that cannot be read, or in which anything is wrong, changes nothing: the last valid one stays in use, the
//! status and the log say what is wrong with which key in which line, and the metrics say that something is.
//!
//! # Metrics
//!
//! `msf_gateway_config_revision`, `msf_gateway_config_last_reload_success`,
//! `msf_gateway_config_reloads_total{result}`.

mod current;
#[cfg(feature = "config")]
mod gateway;
#[cfg(feature = "config")]
mod metrics;
#[cfg(feature = "config")]
mod provider;
#[cfg(feature = "config")]
mod restart;
mod revision;
mod slot;
#[cfg(feature = "config")]
mod status;

pub use self::revision::Revision;
pub(crate) use self::{current::Live, slot::Slot};
#[cfg(feature = "config")]
pub use self::{
    gateway::LiveGateway,
    provider::{ConfigProvider, ConfigText, FileProvider},
    status::{LiveStatus, Reload},
};
