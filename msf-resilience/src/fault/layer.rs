//! The layer, in three faces.

use http::Request;
use msf_core::problem::Code;
use tower_layer::Layer;

use super::{
    direct::{ByHeader, Direct, Undirected},
    face::{Answering, Failing, Typed},
    faults::Faults,
    service::FaultService,
};

/// Puts faults before a service.
///
/// ```
/// use std::convert::Infallible;
/// use msf_resilience::fault::{Error, FaultLayer, Faults};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let faults = Faults::builder("disk").error(1.0).build()?;
/// let service = FaultLayer::new(faults.clone())
///     .layer(service_fn(|n: u8| async move { Ok::<_, Infallible>(n) }));
///
/// assert_eq!(service.clone().oneshot(7).await, Ok(7));
/// faults.enable();
/// assert!(matches!(service.oneshot(7).await, Err(Error::Injected(_))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FaultLayer<I = Typed, D = Undirected> {
    faults: Faults,
    face: I,
    direct: D,
}

impl FaultLayer {
    /// A layer whose faults are [`Error::Injected`](super::Error::Injected).
    pub const fn new(faults: Faults) -> Self {
        Self::with_face(faults, Typed)
    }

    /// A layer whose faults are errors of the service inside, so that its error type stays.
    ///
    /// ```
    /// use std::io;
    /// use msf_resilience::fault::{FaultLayer, Faults};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let faults = Faults::builder("disk").error(1.0).build()?;
    /// faults.enable();
    /// let service = FaultLayer::failing(faults, |_| io::Error::from(io::ErrorKind::StorageFull))
    ///     .layer(service_fn(|n: u8| async move { Ok::<_, io::Error>(n) }));
    /// assert_eq!(service.oneshot(7).await.unwrap_err().kind(), io::ErrorKind::StorageFull);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn failing<M>(faults: Faults, make_error: M) -> FaultLayer<Failing<M>> {
        FaultLayer::with_face(faults, Failing(make_error))
    }

    /// A layer for HTTP: errors are problem+json, a reset is a body that breaks off midway.
    ///
    /// A call that hangs is answered with `deadline_exceeded` when the request's deadline passes, if it has one. The
    /// answers carry [`Injected`](super::Injected) in their extensions. The error type stays that of the service
    /// inside, so it drops into `axum::Router::layer`:
    ///
    /// ```
    /// use axum::{Router, body::Body, routing::get};
    /// use http::Request;
    /// use msf_resilience::fault::{FaultLayer, Faults};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let faults = Faults::builder("reports").error(1.0).build()?;
    /// faults.enable();
    /// let app: Router = Router::new()
    ///     .route("/", get(|| async { "hello" }))
    ///     .layer(FaultLayer::answering(faults));
    ///
    /// let answer = app.oneshot(Request::new(Body::empty())).await?;
    /// assert_eq!(answer.status(), 503);
    /// assert_eq!(answer.headers()["content-type"], "application/problem+json");
    /// # Ok(())
    /// # }
    /// ```
    pub const fn answering(faults: Faults) -> FaultLayer<Answering> {
        FaultLayer::with_face(faults, Answering(Code::Unavailable))
    }
}

impl<I> FaultLayer<I> {
    const fn with_face(faults: Faults, face: I) -> Self {
        Self {
            faults,
            face,
            direct: Undirected,
        }
    }
}

impl<D> FaultLayer<Answering, D> {
    /// The problem that an injected error is. Default [`Code::Unavailable`].
    pub const fn code(mut self, code: Code) -> Self {
        self.face = Answering(code);
        self
    }
}

impl<I, D> FaultLayer<I, D> {
    /// Lets a request choose its fault, while faults are enabled; the closure says whether it may.
    pub fn directed_by<F>(self, direct: F) -> FaultLayer<I, F> {
        FaultLayer {
            faults: self.faults,
            face: self.face,
            direct,
        }
    }

    /// Lets a request choose its fault by [`HEADER`](super::HEADER), while faults are enabled and if a closure trusts it.
    ///
    /// Whoever is trusted can make a call hang. So trust what a caller cannot make up: the address of the peer, a
    /// verified identity in the extensions. A header is not.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::body::Body;
    /// use http::Request;
    /// use msf_resilience::fault::{FaultLayer, Faults};
    ///
    /// let faults = Faults::builder("reports").build()?;
    /// let layer = FaultLayer::answering(faults).by_header_if(|request: &Request<Body>| {
    ///     let peer = request.extensions().get::<SocketAddr>();
    ///     peer.is_some_and(|peer| peer.ip().is_loopback())
    /// });
    /// # let _ = layer;
    /// # Ok::<(), msf_resilience::fault::InvalidFaults>(())
    /// ```
    pub fn by_header_if<B, T>(self, is_trusted: T) -> FaultLayer<I, ByHeader<T>>
    where
        T: Fn(&Request<B>) -> bool,
        ByHeader<T>: Direct<Request<B>>,
    {
        self.directed_by(ByHeader(is_trusted))
    }
}

impl<S, I: Clone, D: Clone> Layer<S> for FaultLayer<I, D> {
    type Service = FaultService<S, I, D>;

    fn layer(&self, inner: S) -> Self::Service {
        FaultService::new(
            inner,
            self.faults.clone(),
            self.face.clone(),
            self.direct.clone(),
        )
    }
}
