//! Routes in a build that knows axum.

use std::{
    any::Any,
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Router, extract::DefaultBodyLimit, routing::future::RouteFuture};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Either;
use pin_project_lite::pin_project;
use tower::ServiceBuilder;
use tower_service::Service;

use super::routes::{self, Erased, Layers};
use crate::{
    BoxError,
    axum::route_template,
    problem::{CatchPanicLayer, FillProblemLayer},
    server::Body,
};

/// The user's routes, behind the layers that every service has, as one type.
///
/// A router has given up its type already and is cheap to clone; erasing it again would cost three
/// allocations per request.
#[derive(Clone, Debug)]
pub(super) enum Routes {
    Router(Router),
    Other(Erased),
}

/// The body of the routes' responses.
pub(super) type RoutesBody = Either<axum::body::Body, Body>;

pin_project! {
    /// The response of the routes.
    #[project = RoutesFutureProjection]
    pub(super) enum RoutesFuture {
        Router { #[pin] future: RouteFuture<Infallible> },
        Other { #[pin] future: <Erased as Service<Request<Body>>>::Future },
    }
}

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
        (Some(router), _) => Routes::Router(around(router, layers)),
        (None, Some(service)) => Routes::Other(layers.around(service)),
        (None, None) => unreachable!("only a router is taken out"),
    }
}

/// What a service without routes answers.
pub(super) fn nothing() -> Routes {
    Routes::Other(routes::nothing())
}

/// A body of the host's own.
pub(super) fn own_body(body: Body) -> RoutesBody {
    Either::Right(body)
}

/// As [`Layers::around`], in one call of `Router::layer`: each call makes a box of its own around every
/// route, and every request clones all of them.
fn around(router: Router, layers: Layers) -> Router {
    let layers = ServiceBuilder::new()
        .layer(layers.trace.route_from(route_template))
        .layer(layers.metrics.route_from(route_template))
        .layer(FillProblemLayer::new())
        .layer(CatchPanicLayer::new())
        // The server's limit holds for every body; a second, lower one of axum would surprise whoever
        // raises the first.
        .layer(DefaultBodyLimit::disable());
    router
        .layer(layers)
        // A router keeps its handlers as they are until it has its state, and would put the layers
        // around them anew for every request.
        .with_state(())
}

impl Service<Request<Body>> for Routes {
    type Response = Response<RoutesBody>;
    type Error = Infallible;
    type Future = RoutesFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match self {
            Self::Router(router) => Service::<Request<Body>>::poll_ready(router, cx),
            Self::Other(service) => service.poll_ready(cx),
        }
    }

    fn call(&mut self, request: Request<Body>) -> RoutesFuture {
        match self {
            Self::Router(router) => RoutesFuture::Router {
                future: router.call(request.map(into_axum)),
            },
            Self::Other(service) => RoutesFuture::Other {
                future: service.call(request),
            },
        }
    }
}

impl Future for RoutesFuture {
    type Output = Result<Response<RoutesBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            RoutesFutureProjection::Router { future } => future
                .poll(cx)
                .map_ok(|response| response.map(Either::Left)),
            RoutesFutureProjection::Other { future } => future
                .poll(cx)
                .map_ok(|response| response.map(Either::Right)),
        }
    }
}

/// axum boxes every body but its own, and most requests have none.
fn into_axum(body: Body) -> axum::body::Body {
    if http_body::Body::is_end_stream(&body) {
        axum::body::Body::empty()
    } else {
        axum::body::Body::new(body)
    }
}
