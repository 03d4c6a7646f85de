//! Routes in a build that does not know axum.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::routes::{Layers, Routes};
use crate::{BoxError, server::Body};

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
