//! The list as a layer.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::IdentityHeaders;

/// Removes [`IdentityHeaders`] from every request.
///
/// ```
/// use std::convert::Infallible;
///
/// use http::Request;
/// use msf_auth::headers::{IdentityHeaders, StripIdentityLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let count = service_fn(|request: Request<()>| async move {
///     Ok::<_, Infallible>(request.headers().len())
/// });
/// let service = StripIdentityLayer::new(IdentityHeaders::default()).layer(count);
/// let request = Request::get("/").header("x-user-id", "1").body(())?;
/// assert_eq!(service.oneshot(request).await?, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct StripIdentityLayer {
    headers: Arc<IdentityHeaders>,
}

/// The service of [`StripIdentityLayer`].
#[derive(Clone, Debug)]
pub struct StripIdentity<S> {
    inner: S,
    headers: Arc<IdentityHeaders>,
}

impl StripIdentityLayer {
    /// Removes these headers.
    pub fn new(headers: IdentityHeaders) -> Self {
        Self {
            headers: Arc::new(headers),
        }
    }
}

impl<S> Layer<S> for StripIdentityLayer {
    type Service = StripIdentity<S>;

    fn layer(&self, inner: S) -> StripIdentity<S> {
        StripIdentity {
            inner,
            headers: self.headers.clone(),
        }
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for StripIdentity<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        self.headers.strip(request.headers_mut());
        self.inner.call(request)
    }
}
