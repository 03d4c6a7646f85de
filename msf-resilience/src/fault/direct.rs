//! Faults that a request asks for.

use http::Request;

use super::kind::Fault;

/// Decides by the request whether it gets a fault of its own, instead of one by share.
///
/// Closures `Fn(&Req) -> Option<Fault>` do.
pub trait Direct<Req> {
    /// The fault that this request asks for and may have.
    fn fault(&self, request: &Req) -> Option<Fault>;
}

/// Nobody asks: the default.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Undirected;

/// By [`HEADER`](super::HEADER), of the requests that a closure trusts.
#[derive(Clone, Debug)]
pub struct ByHeader<T>(pub(super) T);

impl<Req> Direct<Req> for Undirected {
    fn fault(&self, _request: &Req) -> Option<Fault> {
        None
    }
}

impl<Req, F: Fn(&Req) -> Option<Fault>> Direct<Req> for F {
    fn fault(&self, request: &Req) -> Option<Fault> {
        self(request)
    }
}

impl<B, T: Fn(&Request<B>) -> bool> Direct<Request<B>> for ByHeader<T> {
    fn fault(&self, request: &Request<B>) -> Option<Fault> {
        // Parsed first: who sends no header is not asked for credentials.
        let fault = Fault::of(request.headers())?;
        (self.0)(request).then_some(fault)
    }
}
