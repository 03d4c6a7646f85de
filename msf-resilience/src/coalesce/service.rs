//! The layer and service with a shared error, for responses that can be cloned.

use std::{
    fmt,
    future::Future,
    hash::Hash,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    answering::{Answer, AnsweringCoalesceLayer},
    error::Error,
    handle::Coalesce,
    seat::{Seat, Turn},
};
use crate::oneshot::Oneshot;

/// Makes equal calls of a service once.
///
/// `K` is the key of a request, by a closure; a request without one is not shared. The closure decides who gets whose
/// answer: what makes a difference to the answer, the caller's identity above all, must be in the key.
///
/// ```
/// use std::{convert::Infallible, time::Duration};
/// use msf_resilience::coalesce::{Coalesce, CoalesceLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = CoalesceLayer::new(Coalesce::builder("squares").build()?, |n: &u64| Some(*n));
/// let service = layer.layer(service_fn(|n: u64| async move {
///     tokio::time::sleep(Duration::from_millis(5)).await;
///     Ok::<_, Infallible>(n * n)
/// }));
/// let (a, b) = tokio::join!(service.clone().oneshot(3), service.clone().oneshot(3));
/// assert_eq!((a?, b?), (9, 9));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct CoalesceLayer<K, T, F> {
    coalesce: Coalesce<K, T>,
    key: F,
}

/// A service of which equal calls are made once. Made by [`CoalesceLayer`].
///
/// `poll_ready` is that of the service inside. A call that follows leaves it ready for the next one, and has a clone to
/// call if it must.
pub struct CoalesceService<S, K, T, F> {
    inner: S,
    coalesce: Coalesce<K, T>,
    key: F,
}

pin_project! {
    /// Future of [`CoalesceService`].
    ///
    /// Dropped by who leads, the call begins anew with one who follows.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Req, K>
    where
        S: Service<Req>,
    {
        #[pin]
        call: Oneshot<S, Req>,
        #[pin]
        seat: Seat<K, Result<S::Response, Error<S::Error>>>,
    }
}

impl<K, T, F> CoalesceLayer<K, T, F> {
    /// A layer for responses that can be cloned. Errors are shared as [`Error`].
    pub const fn new(coalesce: Coalesce<K, T>, key: F) -> Self {
        Self { coalesce, key }
    }
}

impl<K, E, F> CoalesceLayer<K, Answer<E>, F> {
    /// A layer for HTTP; see [`AnsweringCoalesceLayer`].
    pub const fn answering(
        coalesce: Coalesce<K, Answer<E>>,
        key: F,
    ) -> AnsweringCoalesceLayer<K, E, F> {
        AnsweringCoalesceLayer::new(coalesce, key)
    }
}

impl<S, K, T, F: Clone> Layer<S> for CoalesceLayer<K, T, F> {
    type Service = CoalesceService<S, K, T, F>;

    fn layer(&self, inner: S) -> Self::Service {
        CoalesceService {
            inner,
            coalesce: self.coalesce.clone(),
            key: self.key.clone(),
        }
    }
}

impl<S, K, F, Req> Service<Req> for CoalesceService<S, K, Result<S::Response, Error<S::Error>>, F>
where
    S: Service<Req> + Clone,
    S::Response: Clone,
    F: Fn(&Req) -> Option<K>,
    K: Eq + Hash,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S, Req, K>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::from)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let key = (self.key)(&request);
        let seat = key.map_or_else(Seat::alone, |key| self.coalesce.join(key));
        let call = if seat.follows() {
            Oneshot::new(self.inner.clone(), request)
        } else {
            Oneshot::called(self.inner.call(request))
        };
        ResponseFuture { call, seat }
    }
}

impl<S, Req, K> Future for ResponseFuture<S, Req, K>
where
    S: Service<Req>,
    S::Response: Clone,
{
    type Output = Result<S::Response, Error<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Turn::Take(outcome) = ready!(this.seat.as_mut().poll_turn(cx)) {
            return Poll::Ready(outcome);
        }
        let outcome = ready!(this.call.poll(cx)).map_err(Error::from);
        this.seat.land(|| outcome.clone());
        Poll::Ready(outcome)
    }
}

impl<K, T, F: Clone> Clone for CoalesceLayer<K, T, F> {
    fn clone(&self) -> Self {
        Self {
            coalesce: self.coalesce.clone(),
            key: self.key.clone(),
        }
    }
}

impl<S: Clone, K, T, F: Clone> Clone for CoalesceService<S, K, T, F> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            coalesce: self.coalesce.clone(),
            key: self.key.clone(),
        }
    }
}

impl<K, T, F> fmt::Debug for CoalesceLayer<K, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoalesceLayer")
            .field("coalesce", &self.coalesce)
            .finish_non_exhaustive()
    }
}

impl<S, K, T, F> fmt::Debug for CoalesceService<S, K, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoalesceService")
            .field("coalesce", &self.coalesce)
            .finish_non_exhaustive()
    }
}

impl<S: Service<Req>, Req, K> fmt::Debug for ResponseFuture<S, Req, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("seat", &self.seat)
            .finish_non_exhaustive()
    }
}
