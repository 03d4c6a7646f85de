//! The layers around the routes, and a service without its type.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_service::Service;

use crate::{
    BoxError,
    metrics::HttpMetricsLayer,
    problem::{CatchPanicLayer, FillProblemLayer, Problem},
    server::Body,
    trace::TraceLayer,
};

/// The one seam at which a service loses its type, so that the type of a host does not grow with the
/// user's routes.
pub(super) type Erased = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// The layers around the routes.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    pub(super) trace: TraceLayer,
    pub(super) metrics: HttpMetricsLayer,
}

impl Layers {
    /// Wraps any service. Where a router inside it knows the template of a route, it has to say so
    /// with [`MatchedRoute`](crate::route::MatchedRoute).
    pub(super) fn around<S, B>(self, service: S) -> Erased
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let service = ServiceBuilder::new()
            // Outermost, so that everything inside is logged with the ids of its request.
            .layer(self.trace)
            .layer(self.metrics)
            // Innermost, where the bare answers of a router come from.
            .layer(FillProblemLayer::new())
            .layer(CatchPanicLayer::new())
            .service(service.map_response(|response: Response<B>| response.map(Body::new)))
            .map_response(|response: Response<_>| response.map(Body::new));
        BoxCloneSyncService::new(service)
    }
}

/// What a service without routes answers.
pub(super) fn nothing() -> Erased {
    let not_found = tower::service_fn(|_request: Request<Body>| async {
        let problem = Problem::new(crate::problem::Code::NotFound);
        Ok::<_, Infallible>(problem.into_response::<Body>())
    });
    BoxCloneSyncService::new(not_found)
}
