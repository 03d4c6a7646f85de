//! Tower layers around the call of one route.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use msf_core::{BoxError, body::Body};
use tower::{ServiceExt, util::BoxCloneSyncService};
use tower_layer::Layer;
use tower_service::Service;

/// The call of a route's cluster, as a layer of the route sees it; the inner service of [`Route::layer`](crate::Route::layer).
///
/// It is always ready. Its errors are [`msf_client::Error`] in a box, until a layer makes others of them.
#[derive(Clone)]
pub struct Upstream(BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>);

/// The future of [`Upstream`].
pub struct UpstreamFuture(Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>);

/// A layer without its type.
#[derive(Clone)]
pub(crate) struct RouteLayer(Arc<dyn Fn(Upstream) -> Upstream + Send + Sync>);

impl Upstream {
    pub(crate) fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(BoxCloneSyncService::new(Erase(service)))
    }
}

impl Upstream {
    /// Waits until a clone is ready, and calls it.
    pub(crate) fn ask(&self, request: Request<Body>) -> UpstreamFuture {
        UpstreamFuture(Box::pin(self.clone().oneshot(request)))
    }
}

impl Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = UpstreamFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> UpstreamFuture {
        UpstreamFuture(self.0.call(request))
    }
}

impl Future for UpstreamFuture {
    type Output = Result<Response<Body>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

/// Boxes bodies and errors.
#[derive(Clone)]
struct Erase<S>(S);

impl<S, B> Service<Request<Body>> for Erase<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = self.0.call(request);
        Box::pin(async move {
            match call.await {
                Ok(response) => Ok(response.map(Body::new)),
                Err(error) => Err(error.into()),
            }
        })
    }
}

impl RouteLayer {
    pub(crate) fn new<L, B>(layer: L) -> Self
    where
        L: Layer<Upstream> + Send + Sync + 'static,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Arc::new(move |inner| Upstream::new(layer.layer(inner))))
    }

    pub(crate) fn around(&self, inner: Upstream) -> Upstream {
        (self.0)(inner)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

impl fmt::Debug for UpstreamFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamFuture").finish_non_exhaustive()
    }
}

impl fmt::Debug for RouteLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteLayer")
    }
}
