//! The service with a typed error, and its future.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    error::{Error, SharedError},
    layer::OnFailure,
    limiter::SharedRateLimiter,
};
use crate::rate_limit::decision::Allowed;

/// A service behind a shared limit. Made by [`SharedRateLimitLayer`](super::SharedRateLimitLayer).
#[derive(Clone, Debug)]
pub struct SharedRateLimitService<S, F> {
    inner: S,
    limiter: SharedRateLimiter,
    key: F,
    on_failure: OnFailure,
}

/// The store's answer under way. Boxed, as every future of a store is; the round trip costs a thousand times more.
type Check = Pin<Box<dyn Future<Output = Result<Option<Allowed>, SharedError>> + Send>>;

pin_project! {
    /// Future of [`SharedRateLimitService`].
    ///
    /// Dropped before the store has answered, it leaves open whether the request was counted.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, Req, S::Future>,
        allowed: Option<Allowed>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, Req, F> {
        Checking {
            check: Check,
            call: Option<(S, Req)>,
        },
        Calling {
            #[pin]
            inner: F,
        },
    }
}

impl<S, F> SharedRateLimitService<S, F> {
    pub(super) const fn new(
        inner: S,
        limiter: SharedRateLimiter,
        key: F,
        on_failure: OnFailure,
    ) -> Self {
        Self {
            inner,
            limiter,
            key,
            on_failure,
        }
    }

    pub(super) const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    fn check(&self, key: String) -> Check {
        let (limiter, on_failure) = (self.limiter.clone(), self.on_failure);
        Box::pin(async move {
            match limiter.check(&key).await {
                Ok(allowed) => Ok(Some(allowed)),
                Err(SharedError::Store(error)) if on_failure == OnFailure::Allow => {
                    tracing::debug!(
                        limiter = limiter.name(),
                        %error,
                        "a request passes without its rate limit"
                    );
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        })
    }
}

impl<S, F, Req> Service<Req> for SharedRateLimitService<S, F>
where
    S: Service<Req> + Clone,
    F: Fn(&Req) -> Option<String>,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let state = match (self.key)(&request) {
            Some(key) => {
                // The one that is ready makes the call; its clone has to become ready first.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                State::Checking {
                    check: self.check(key),
                    call: Some((ready, request)),
                }
            }
            None => State::Calling {
                inner: self.inner.call(request),
            },
        };
        ResponseFuture {
            state,
            allowed: None,
        }
    }
}

impl<S, Req> ResponseFuture<S, Req>
where
    S: Service<Req>,
{
    /// What the limit said, once the store has decided.
    pub(super) const fn allowed(&self) -> Option<&Allowed> {
        self.allowed.as_ref()
    }
}

impl<S, Req> Future for ResponseFuture<S, Req>
where
    S: Service<Req>,
{
    type Output = Result<S::Response, Error<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Checking { check, call } => {
                    *this.allowed = ready!(check.as_mut().poll(cx)).map_err(Error::Limited)?;
                    let (mut inner, request) =
                        call.take().expect("a future is not polled after its end");
                    let inner = inner.call(request);
                    this.state.set(State::Calling { inner });
                }
                StateProjection::Calling { inner } => {
                    return inner.poll(cx).map_err(Error::Inner);
                }
            }
        }
    }
}

impl<S, Req> fmt::Debug for ResponseFuture<S, Req>
where
    S: Service<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
