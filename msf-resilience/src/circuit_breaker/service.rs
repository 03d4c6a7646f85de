//! The service with a typed error.

use std::task::{Context, Poll, ready};

use msf_core::classify::Classify;
use tower_service::Service;

use super::{breaker::CircuitBreaker, cause::Cause, error::Error, future::ResponseFuture};

/// A service behind a breaker. Made by [`CircuitBreakerLayer`](super::CircuitBreakerLayer).
///
/// `poll_ready` takes nothing from the breaker. While calls are refused it says that it is ready without asking
/// the service inside, which may be the very thing that hangs. An error of the service inside counts as the outcome
/// of a call.
///
/// Waiting for the service inside to become ready is no call: it is neither counted nor limited, and who waits
/// when the circuit opens is told only when polled again. Inside a breaker belongs a service that is ready soon
/// or fails, such as a load shed around a concurrency limit.
#[derive(Debug)]
pub struct CircuitBreakerService<S, C> {
    inner: S,
    breaker: CircuitBreaker,
    classify: C,
    readiness: Readiness,
}

/// Who said that this service is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    /// Nobody yet; the service inside must be asked before it is called.
    Unknown,
    Inner,
    /// The breaker, which refused at that time: the service inside was not asked.
    Breaker,
}

impl<S, C> CircuitBreakerService<S, C> {
    pub(super) const fn new(inner: S, breaker: CircuitBreaker, classify: C) -> Self {
        Self {
            inner,
            breaker,
            classify,
            readiness: Readiness::Unknown,
        }
    }

    #[inline]
    pub(super) fn poll_inner_ready<Req>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), S::Error>>
    where
        S: Service<Req>,
        C: Classify<S::Response, S::Error>,
    {
        if self.readiness == Readiness::Inner {
            return Poll::Ready(Ok(()));
        }
        if self.breaker.refuses_for().is_some() {
            self.readiness = Readiness::Breaker;
            return Poll::Ready(Ok(()));
        }
        self.readiness = Readiness::Unknown;
        let answer = ready!(self.inner.poll_ready(cx));
        match &answer {
            Ok(()) => self.readiness = Readiness::Inner,
            Err(error) => self.count_unready(error),
        }
        Poll::Ready(answer)
    }

    /// No call will follow, so the attempt ends here, as the outcome of a call of its own.
    #[cold]
    fn count_unready<Res, E>(&self, error: &E)
    where
        C: Classify<Res, E>,
    {
        if let Ok(permit) = self.breaker.try_acquire() {
            permit.complete(&self.classify.classify(Err(error)));
        }
    }

    /// A call that meets a circuit which is not simply closed.
    #[cold]
    #[inline(never)]
    fn call_slowly<Req>(&mut self, request: Req) -> ResponseFuture<S::Future, C>
    where
        S: Service<Req>,
        C: Clone,
    {
        if self.readiness == Readiness::Breaker {
            // The open wait may have ended since. The service inside was not asked, so it may not be called.
            self.readiness = Readiness::Unknown;
            let refusal = self.breaker.refuses_for().unwrap_or((Cause::Open, 0));
            return ResponseFuture::refused(self.breaker.refuse(refusal));
        }
        match self.breaker.try_acquire() {
            Ok(permit) => {
                self.readiness = Readiness::Unknown;
                let future = self.inner.call(request);
                ResponseFuture::calling(future, permit, self.classify.clone())
            }
            // The service inside stays ready for the next call.
            Err(refusal) => ResponseFuture::refused(refusal),
        }
    }
}

impl<S: Clone, C: Clone> Clone for CircuitBreakerService<S, C> {
    fn clone(&self) -> Self {
        // The readiness of the service inside is not cloned with it.
        Self::new(
            self.inner.clone(),
            self.breaker.clone(),
            self.classify.clone(),
        )
    }
}

impl<S, C, Req> Service<Req> for CircuitBreakerService<S, C>
where
    S: Service<Req>,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S::Future, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_inner_ready(cx).map_err(Error::Inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        if self.readiness != Readiness::Breaker
            && let Some(permit) = self.breaker.acquire_closed()
        {
            self.readiness = Readiness::Unknown;
            let future = self.inner.call(request);
            return ResponseFuture::calling(future, permit, self.classify.clone());
        }
        self.call_slowly(request)
    }
}
