//! The tower service.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use msf_core::{config::Secret, server::Body};
use tower_service::Service;

use super::answer;
use crate::{
    registry::Registry,
    server::{Access, Scope},
    token::InvalidToken,
};

/// Shows what a [`Registry`] knows; clones share it. See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Admin {
    registry: Registry,
    prefix: Arc<str>,
    access: Arc<Access>,
}

/// The answer of an [`Admin`], which is there at once.
#[derive(Debug)]
pub struct ResponseFuture(Ready<Response<Body>>);

impl Admin {
    /// Shows what a registry knows, at the root.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            prefix: Arc::from(""),
            access: Arc::default(),
        }
    }

    /// Answers only requests with this bearer token; everybody unless set. Each call adds another one, so that a
    /// token can be replaced.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] unless it is 16 to 512 visible ASCII characters.
    pub fn token(mut self, token: impl Into<Secret<String>>) -> Result<Self, InvalidToken> {
        Arc::make_mut(&mut self.access).client(token.into())?;
        Ok(self)
    }

    /// Cuts this off the path of every request, such as `/admin/registry`; nothing unless set. A path that does
    /// not begin with it is not found.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.prefix = Arc::from(prefix.trim_end_matches('/'));
        self
    }
}

impl Service<Request<Body>> for Admin {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        let answer = match self.access.check(Scope::Client, request.headers()) {
            Ok(()) => answer::answer(&self.registry, &self.prefix, &request),
            Err(denied) => denied.into_response(),
        };
        ResponseFuture(ready(answer))
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(Ok)
    }
}
