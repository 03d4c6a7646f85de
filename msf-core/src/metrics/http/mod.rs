//! Duration and number of the requests a service answers.
//!
//! See the [metrics module](crate::metrics) for an example.

mod body;
mod future;
mod label;
mod layer;
mod recorder;
mod service;
mod track;

pub use self::{
    body::ResponseBody,
    future::ResponseFuture,
    layer::{DEFAULT_ROUTE_LIMIT, HttpMetricsLayer},
    service::HttpMetrics,
};
