//! The layer.

use tower_layer::Layer;

use super::{handle::LoadShed, service::LoadShedService};
use crate::answering::Answering;

/// Puts a load shed before a service; a request that is shed gives [`Error::Overloaded`](super::Error::Overloaded).
///
/// `priority` is a `Fn(&Request) -> Priority`, such as [`from_extensions`](super::from_extensions) or
/// [`from_header`](super::from_header). Every service it makes shares the one load shed.
///
/// ```
/// use std::convert::Infallible;
/// use msf_resilience::{
///     adaptive::{AdaptiveLayer, AdaptiveLimit},
///     load_shed::{LoadShed, LoadShedLayer, Priority},
/// };
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limit = AdaptiveLimit::builder("api").build()?;
/// let shed = LoadShed::builder("api").signal(limit.clone()).build()?;
///
/// let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
/// let limited = AdaptiveLayer::new(limit).layer(inner);
/// let service = LoadShedLayer::new(shed, |request: &Request<()>| match request.uri().path() {
///     "/checkout" => Priority::CRITICAL,
///     _ => Priority::DEFAULT,
/// })
/// .layer(limited);
/// assert!(service.oneshot(Request::new(())).await.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct LoadShedLayer<P> {
    shed: LoadShed,
    priority: P,
}

impl<P> LoadShedLayer<P> {
    /// A layer with a typed error.
    pub const fn new(shed: LoadShed, priority: P) -> Self {
        Self { shed, priority }
    }

    /// A layer that answers a request that is shed with problem+json instead of an error.
    pub const fn answering(shed: LoadShed, priority: P) -> Answering<Self> {
        Answering::new(Self::new(shed, priority))
    }
}

impl<S, P: Clone> Layer<S> for LoadShedLayer<P> {
    type Service = LoadShedService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        LoadShedService::new(inner, self.shed.clone(), self.priority.clone())
    }
}
