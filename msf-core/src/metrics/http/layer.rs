//! The layer and its options.

use std::sync::Arc;

use tower_layer::Layer;

use super::{recorder::Recorder, service::HttpMetrics, track::Routing};
use crate::{
    metrics::{error::MetricsError, registry::Metrics},
    route::{self, RouteSource},
};

/// How many route templates a layer tells apart unless told otherwise: more than a large API has,
/// few enough that a router that leaves raw paths behind does no harm.
pub const DEFAULT_ROUTE_LIMIT: usize = 500;

/// Measures requests: see the [module](crate::metrics) for an example.
///
/// Every service it makes shares one table of series.
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpMetricsLayer {
    recorder: Arc<Recorder>,
    routing: Routing,
}

impl HttpMetricsLayer {
    /// Registers the families in `metrics`, or finds them there.
    ///
    /// # Errors
    ///
    /// [`MetricsError::Mismatch`] if one of the names was registered with another shape.
    pub fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            recorder: Arc::new(Recorder::new(metrics)?),
            routing: Routing {
                source: route::matched,
                limit: DEFAULT_ROUTE_LIMIT,
            },
        })
    }

    /// Where the route template is found; [`route::matched`] by default.
    ///
    /// The request's extensions are asked first, the response's if they have none: so the layer may
    /// stand outside the router, provided that the router leaves the template in the response.
    pub fn route_from(mut self, source: RouteSource) -> Self {
        self.routing.source = source;
        self
    }

    /// How many route templates are told apart; the rest is `other`. [`DEFAULT_ROUTE_LIMIT`] by
    /// default.
    pub fn route_limit(mut self, limit: usize) -> Self {
        self.routing.limit = limit;
        self
    }
}

impl<S> Layer<S> for HttpMetricsLayer {
    type Service = HttpMetrics<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpMetrics::new(inner, Arc::clone(&self.recorder), self.routing)
    }
}
