//! Metrics in the Prometheus text format, with handles that a hot path can afford.
//!
//! A metric is used in two steps. At build time a layer asks [`Metrics`] for a family and resolves
//! the series it needs; this takes locks and may fail. On a request it only touches the handles
//! ([`Counter`], [`Gauge`], [`Histogram`]): one atomic operation, no map, no lock, no allocation.
//!
//! Labels are for ids and enums that the program knows, never for paths, users or anything else a
//! caller chooses: each set of values is a series that costs memory here and in Prometheus for ever.
//! Families are bounded all the same (see [`Metrics::with_series_limit`]); what the bound refuses is
//! counted under `other` and shows in `msf_metrics_overflow_total`.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use msf_core::metrics::{HttpMetricsLayer, Metrics};
//! use msf_core::route::MatchedRoute;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let metrics = Metrics::new();
//! let layer = HttpMetricsLayer::new(&metrics)?;
//!
//! let service = layer.layer(service_fn(|_: Request<()>| async {
//!     Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::from("order 7")))
//! }));
//!
//! let mut request = Request::new(());
//! request.extensions_mut().insert(MatchedRoute::new("/orders/{id}"));
//! let response = service.oneshot(request).await?;
//! response.into_body().collect().await?;
//!
//! let series = r#"{error_type="",http_request_method="GET",http_response_status_code="200",http_route="/orders/{id}"}"#;
//! let line = format!("http_server_request_duration_seconds_count{series} 1");
//! assert!(metrics.render().contains(&line));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What a request's duration is
//!
//! From [`call`](tower_service::Service::call) to the end of the response *body*, so a streaming
//! response is in flight, and counted in `http_server_active_requests`, until its stream ends. Each
//! request is counted once, on whatever path it leaves. `error_type` says which:
//!
//! | `error_type` | meaning |
//! |---|---|
//! | empty | answered in full, with a status below 500 |
//! | a [`Code`](crate::problem::Code) | answered with that problem, however the body ended |
//! | `500`...`599` | another answer of that status, however its body ended |
//! | `cancelled` | the caller went away before the end |
//! | `body` | the response body failed |
//! | `panic` | the service or its body panicked |
//! | `_OTHER` | the service returned an error instead of a response |
//!
//! # When not to use it
//!
//! For values that need exact sums across processes (billing), for anything keyed by user, and for
//! single events: those are logs and traces.
//!
//! # Cancel safety
//!
//! Dropping the future or the body of a request at any point counts it as `cancelled` and takes it
//! out of the active requests.
//!
//! # Ordering
//!
//! [`HttpMetricsLayer`] belongs outside of what rejects requests (limits, authentication), so that
//! rejections are seen, and inside of the router or around one that leaves the route template in the
//! response's extensions; a layer outside that sees no template reports an empty `http_route`.
//!
//! # Metrics
//!
//! [`catalogue`] lists every metric of this crate with its labels and help. Names follow the
//! OpenTelemetry HTTP conventions in Prometheus spelling; our own start with `msf_`.

mod catalogue;
mod error;
mod families;
mod family;
mod handle;
pub mod http;
mod process;
mod registry;
mod runtime;
mod scrape;
mod series;
mod shape;
mod spec;

#[cfg(feature = "server")]
pub(crate) use self::catalogue::SERVER_REFUSED;
#[cfg(feature = "host")]
pub(crate) use self::catalogue::{LOG_LINES_DROPPED, OTLP_SPANS, SERVER_CONNECTIONS};
pub use self::{
    catalogue::{MetricInfo, MetricKind, catalogue},
    error::MetricsError,
    family::{CounterFamily, GaugeFamily, HistogramFamily},
    handle::{Counter, Gauge, GaugeGuard, Histogram},
    http::{HttpMetrics, HttpMetricsLayer},
    registry::{CONTENT_TYPE, DEFAULT_SERIES_LIMIT, DURATION_BUCKETS_SECONDS, Metrics},
    spec::Spec,
};
