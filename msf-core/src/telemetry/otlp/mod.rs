//! Exports spans to an OpenTelemetry collector, over OTLP/HTTP with protobuf.
//!
//! # Why
//!
//! The usual bridge from `tracing` makes ids of its own, so that the id in a log line and the id
//! in the trace store differ. Here a span is exported with exactly the `trace_id`, `span_id` and
//! `parent_span_id` in its fields: what the caller sent, what the log says and what the trace
//! store shows are one.
//!
//! # How
//!
//! A layer keeps what the OpenTelemetry data model wants of each span, and hands it to the SDK's
//! batch processor when the span closes. That one exports from a thread of its own, with a
//! blocking client.
//!
//! * A span without ids gets a fresh span id in its parent's trace.
//! * A span outside any trace is not exported, unless `root_spans` is set.
//! * `sampled = false` or an even `trace_flags` keeps a span and everything inside it from being
//!   exported; without such a field a span counts as sampled. `sample_ratio` then chooses by
//!   trace id alone, so services with the same ratio keep the same traces.
//! * `otel.name`, `otel.kind`, `otel.status_code` and `otel.status_description` are understood;
//!   otherwise the status follows the OpenTelemetry HTTP conventions: 5xx is an error, 4xx is one
//!   for a client only, and so is an `error.type` without a response.
//! * Events become span events, except access events (`msf::access`), which repeat their span. At
//!   most 128 events, 128 attributes and 32 links per span, 4 KiB per text; what is beyond is
//!   counted as dropped.
//!
//! # When not to use it
//!
//! The endpoint is an agent or a collector nearby, over plain HTTP. Send to a vendor over TLS
//! from that collector: it keeps the keys, and retries when the vendor is away.
//!
//! # Example
//!
//! ```no_run
//! use msf_core::telemetry::otlp::{OtlpConfig, ServiceIdentity};
//! use msf_core::telemetry::{LogConfig, TelemetrySetup};
//!
//! # #[cfg(feature = "otlp")]
//! # fn init() -> Result<(), msf_core::telemetry::TelemetryError> {
//! let mut otlp = OtlpConfig::default();
//! otlp.endpoint = Some("http://127.0.0.1:4318".to_owned());
//! let service = ServiceIdentity::new("orders").version("1.4.0").instance("orders-7f9c");
//! # #[cfg(feature = "otlp")]
//! let telemetry = TelemetrySetup::new(&LogConfig::default())
//!     .otlp(&otlp, &service)?
//!     .init()?;
//! # Ok(())
//! # }
//! ```
//!
//! # A collector that is away
//!
//! costs a counter ([`failed_spans`](super::TelemetryStats::failed_spans)) and one warning a
//! minute. Nothing is retried and nothing waits: spans beyond the queue are dropped and counted.
//! A collector that never answers costs `timeout` per batch on the exporter's thread; shutdown
//! leaves it behind when its own bound is reached.

#[cfg(feature = "otlp")]
mod attributes;
mod config;
#[cfg(feature = "otlp")]
mod exporter;
#[cfg(feature = "otlp")]
mod layer;
#[cfg(feature = "otlp")]
mod pipeline;
#[cfg(feature = "otlp")]
mod record;
#[cfg(feature = "otlp")]
mod status;

#[cfg(feature = "otlp")]
#[cfg(test)]
mod tests;

pub use config::{OtlpConfig, ServiceIdentity};
