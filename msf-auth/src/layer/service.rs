//! The service with a typed error.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{
    AuthFuture, Error,
    authenticate::{Credentials, Step},
    gate::Gate,
};

/// The service of [`AuthLayer`](super::AuthLayer).
#[derive(Clone, Debug)]
pub struct Auth<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S> Auth<S> {
    pub(super) const fn new(inner: S, gate: Arc<Gate>) -> Self {
        Self { inner, gate }
    }

    /// The instance that was polled ready is the one that is called; a clone stays behind.
    fn ready(&mut self) -> S
    where
        S: Clone,
    {
        let clone = self.inner.clone();
        mem::replace(&mut self.inner, clone)
    }
}

impl<S, B, R> Service<Request<B>> for Auth<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
{
    type Response = Response<R>;
    type Error = Error<S::Error>;
    type Future = AuthFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.gate.credentials(&mut request) {
            Err(refusal) => AuthFuture::refused(refusal),
            Ok(Credentials::None) => match self.gate.decide(None, request) {
                Step::Pass(request) => AuthFuture::running(self.inner.call(request)),
                Step::Refuse(refusal) => AuthFuture::refused(refusal),
                Step::Ask(asking) => AuthFuture::asking(asking, self.ready(), self.gate.clone()),
            },
            Ok(Credentials::Token(verify)) => {
                let ready = self.ready();
                AuthFuture::verifying(verify, request, ready, self.gate.clone())
            }
        }
    }
}
