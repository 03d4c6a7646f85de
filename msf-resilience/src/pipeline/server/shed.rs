//! Shedding by the priority that the head of a request has.

use std::task::{Context, Poll};

use http::{Extensions, HeaderMap, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::load_shed::{Error, LoadShed, Priority, ResponseFuture};

/// Finds the priority of a request where the pipeline was given no other way.
pub type PriorityFn = fn(&HeaderMap, &Extensions) -> Priority;

/// The one in the extensions, where a layer outside may have put it.
pub(super) fn from_extensions(_headers: &HeaderMap, extensions: &Extensions) -> Priority {
    extensions.get().copied().unwrap_or_default()
}

#[derive(Clone, Debug)]
pub(super) struct ShedLayer<P> {
    pub(super) shed: LoadShed,
    pub(super) priority: P,
}

/// A service behind a load shed.
#[derive(Clone, Debug)]
pub struct Shed<S, P> {
    inner: S,
    shed: LoadShed,
    priority: P,
}

impl<S, P: Clone> Layer<S> for ShedLayer<P> {
    type Service = Shed<S, P>;

    fn layer(&self, inner: S) -> Shed<S, P> {
        Shed {
            inner,
            shed: self.shed.clone(),
            priority: self.priority.clone(),
        }
    }
}

impl<S, P, B> Service<Request<B>> for Shed<S, P>
where
    S: Service<Request<B>>,
    P: Fn(&HeaderMap, &Extensions) -> Priority,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let priority = (self.priority)(request.headers(), request.extensions());
        match self.shed.check(priority) {
            Ok(()) => ResponseFuture::calling(self.inner.call(request)),
            Err(refusal) => ResponseFuture::refused(refusal),
        }
    }
}
