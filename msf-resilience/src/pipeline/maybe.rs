//! A layer that is there or not, decided when the pipeline is built.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// A layer, or none.
///
/// Both ways give one type, with the error of the service inside and without a box; tower's `option_layer`
/// boxes errors. The layer's own error must turn into that of the service inside, as the errors of this crate's layers
/// turn into [`pipeline::Error`](super::Error).
///
/// ```
/// use msf_resilience::{circuit_breaker::{CircuitBreaker, CircuitBreakerLayer}, pipeline::Maybe};
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let is_wanted = false;
/// let breaker = is_wanted.then(|| CircuitBreaker::builder("reports").build()).transpose()?;
/// let layer = Maybe::from(breaker.map(CircuitBreakerLayer::answering));
///
/// let hello = service_fn(|_: Request<()>| async { Ok::<_, std::io::Error>(Response::new(bytes::Bytes::new())) });
/// assert_eq!(layer.layer(hello).oneshot(Request::new(())).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Maybe<L>(Option<L>);

impl<L> From<Option<L>> for Maybe<L> {
    fn from(layer: Option<L>) -> Self {
        Self(layer)
    }
}

impl<S, L: Layer<S>> Layer<S> for Maybe<L> {
    type Service = MaybeService<L::Service, S>;

    fn layer(&self, inner: S) -> Self::Service {
        match &self.0 {
            Some(layer) => MaybeService::on(layer.layer(inner)),
            None => MaybeService::off(inner),
        }
    }
}

/// A service with a layer `A` around it, or the bare service `B`. Made by [`Maybe`].
#[derive(Clone, Debug)]
pub struct MaybeService<A, B>(Either<A, B>);

#[derive(Clone, Debug)]
enum Either<A, B> {
    On(A),
    Off(B),
}

pin_project! {
    /// Future of [`MaybeService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct MaybeFuture<A, B> {
        #[pin]
        which: Which<A, B>,
    }
}

pin_project! {
    #[project = WhichProjection]
    #[derive(Debug)]
    enum Which<A, B> {
        On {
            #[pin]
            future: A,
        },
        Off {
            #[pin]
            future: B,
        },
    }
}

impl<A, B> MaybeService<A, B> {
    pub(super) const fn on(service: A) -> Self {
        Self(Either::On(service))
    }

    pub(super) const fn off(service: B) -> Self {
        Self(Either::Off(service))
    }
}

impl<A, B, Req> Service<Req> for MaybeService<A, B>
where
    A: Service<Req, Response = B::Response>,
    A::Error: Into<B::Error>,
    B: Service<Req>,
{
    type Response = B::Response;
    type Error = B::Error;
    type Future = MaybeFuture<A::Future, B::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), B::Error>> {
        match &mut self.0 {
            Either::On(service) => service.poll_ready(cx).map_err(Into::into),
            Either::Off(service) => service.poll_ready(cx),
        }
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let which = match &mut self.0 {
            Either::On(service) => Which::On {
                future: service.call(request),
            },
            Either::Off(service) => Which::Off {
                future: service.call(request),
            },
        };
        MaybeFuture { which }
    }
}

impl<A, B, T, E, F> Future for MaybeFuture<A, B>
where
    A: Future<Output = Result<T, E>>,
    E: Into<F>,
    B: Future<Output = Result<T, F>>,
{
    type Output = B::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().which.project() {
            WhichProjection::On { future } => {
                Poll::Ready(ready!(future.poll(cx)).map_err(Into::into))
            }
            WhichProjection::Off { future } => future.poll(cx),
        }
    }
}
