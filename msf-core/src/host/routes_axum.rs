//! Routes in a build that knows axum.

use std::{any::Any, convert::Infallible};

use axum::{Router, extract::DefaultBodyLimit};
use bytes::Bytes;
use http::{Request, Response};
use tower::ServiceBuilder;
use tower_service::Service;

use super::routes::{Layers, Routes, erase};
use crate::{
    BoxError,
    axum::route_template,
    problem::{CatchPanicLayer, FillProblemLayer},
    server::Body,
};

/// Wraps a service in the layers; inside the router if it is one.
///
/// axum tells the template of a route only to layers inside its router, and without it every metric
/// would lack its route. A router is a service like any other to the type system, hence the downcast.
pub(super) fn observe<S, B>(service: S, layers: Layers) -> Routes
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
    let mut service = Some(service);
    let router = (&mut service as &mut dyn Any)
        .downcast_mut::<Option<Router>>()
        .and_then(Option::take);
    match (router, service) {
        (Some(router), _) => around(router, layers),
        (None, Some(service)) => layers.around(service),
        (None, None) => unreachable!("only a router is taken out"),
    }
}

/// As [`Layers::around`], in one call of `Router::layer`: each call makes a box of its own around every
/// route, and every request clones all of them.
fn around(router: Router, layers: Layers) -> Routes {
    let layers = ServiceBuilder::new()
        .layer(layers.trace.route_from(route_template))
        .layer(layers.metrics.route_from(route_template))
        .layer(FillProblemLayer::new())
        .layer(CatchPanicLayer::new())
        // The server's limit holds for every body; a second, lower one of axum would surprise whoever
        // raises the first.
        .layer(DefaultBodyLimit::disable());
    erase(router.layer(layers))
}
