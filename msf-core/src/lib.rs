#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod config;
pub mod health;
pub mod metrics;
pub mod route;
#[cfg(feature = "telemetry")]
pub mod telemetry;
pub mod trace;

/// A boxed error that can cross threads, as tower spells it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
