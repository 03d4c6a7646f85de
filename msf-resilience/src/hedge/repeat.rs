//! Requests that may be made a second time.

use http::Request;
use http_body::Body;
use msf_core::deadline::Deadline;

use crate::{Attempt, idempotent::is_repeatable};

/// Makes the request of an additional attempt. Closures `Fn(&Req) -> Option<Req>` do.
pub trait Repeat<Req> {
    /// The request once more; `None` if it may not be made twice.
    ///
    /// Runs for every call while the delay is known, so it should copy little.
    fn copy(&self, request: &Req) -> Option<Req>;

    /// Prepares the first attempt's request, before it is copied.
    fn begin(&self, request: &mut Req) {
        let _ = request;
    }

    /// Says in a copied request that it is one attempt later than before.
    fn count(&self, request: &mut Req) {
        let _ = request;
    }

    /// The deadline of the call, if it has one.
    fn deadline(&self, request: &Req) -> Option<Deadline> {
        let _ = request;
        None
    }
}

/// HTTP requests without a body that are idempotent by method or `Idempotency-Key`: the rule of retries.
///
/// Additional attempts carry an [`Attempt`] in their extensions.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Idempotent {
    pub(super) tracks_hosts: bool,
}

impl<Req, F: Fn(&Req) -> Option<Req>> Repeat<Req> for F {
    fn copy(&self, request: &Req) -> Option<Req> {
        self(request)
    }
}

impl<B: Body + Default> Repeat<Request<B>> for Idempotent {
    fn copy(&self, request: &Request<B>) -> Option<Request<B>> {
        let is_whole = request.body().is_end_stream();
        if !is_whole || !is_repeatable(request.method(), request.headers()) {
            return None;
        }
        let mut copy = Request::new(B::default());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        copy.headers_mut().clone_from(request.headers());
        copy.extensions_mut().clone_from(request.extensions());
        Some(copy)
    }

    fn begin(&self, request: &mut Request<B>) {
        // A retry outside may track already; its record is the one to add to.
        if self.tracks_hosts && request.extensions().get::<Attempt>().is_none() {
            request.extensions_mut().insert(Attempt::tracked());
        }
    }

    fn count(&self, request: &mut Request<B>) {
        let next = Attempt::of(request.extensions()).next();
        request.extensions_mut().insert(next);
    }

    fn deadline(&self, request: &Request<B>) -> Option<Deadline> {
        Deadline::of(request.extensions())
    }
}
