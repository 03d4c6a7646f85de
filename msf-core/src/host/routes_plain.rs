//! Routes in a build that does not know axum.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

pub(super) use super::routes::nothing;
use super::routes::{Erased, Layers};
use crate::{BoxError, server::Body};

/// The user's routes, behind the layers that every service has, as one type.
pub(super) type Routes = Erased;

/// The body of the routes' responses.
pub(super) type RoutesBody = Body;

/// Wraps a service in the layers.
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
    layers.around(service)
}

/// A body of the host's own.
pub(super) fn own_body(body: Body) -> RoutesBody {
    body
}
