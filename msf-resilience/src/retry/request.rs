//! How a request is made again.

use http::{Request, request::Parts};
use http_body::Body;
use msf_core::{BoxError, deadline::Deadline};

use crate::{
    attempt::Attempt,
    replay::{Kept, ReplayBody},
};

/// Splits a request into the one that is made now and what is needed to make it again.
pub trait Replay<Req> {
    /// What the service inside is called with.
    type Request;
    /// What is kept while an attempt is under way.
    type Kept;

    /// The request of a call that has one attempt only.
    fn once(&self, request: Req) -> Self::Request;

    /// The first of several attempts; nothing is kept of a request whose body is above the limit.
    fn first(&self, request: Req, terms: Terms) -> (Self::Request, Option<Self::Kept>);

    /// The next attempt, unless the request is not there any more.
    fn again(&self, kept: &mut Self::Kept) -> Option<Self::Request>;

    /// When the caller stops waiting.
    fn deadline(&self, kept: &Self::Kept) -> Option<Deadline>;
}

/// What a policy says about keeping requests.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Terms {
    /// How many bytes of a body may be kept.
    pub body_limit: usize,
    /// Whether the hosts of attempts are remembered.
    pub track_hosts: bool,
}

/// Requests of any type that can be cloned; they have neither deadline nor [`Attempt`].
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a way without parts")]
pub struct Cloned;

/// HTTP requests; the service inside gets a [`ReplayBody`].
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a way without parts")]
pub struct ReplayHttp;

/// HTTP requests; the service inside gets what a function makes of the [`ReplayBody`].
///
/// Made by [`RetryLayer::map_body`](super::RetryLayer::map_body).
#[derive(Clone, Copy, Debug)]
pub struct HttpWith<F>(pub(crate) F);

/// The head of an HTTP request and its body.
#[derive(Debug)]
pub struct KeptRequest<B> {
    parts: Parts,
    body: Kept<B>,
}

impl<Req: Clone> Replay<Req> for Cloned {
    type Request = Req;
    type Kept = Req;

    fn once(&self, request: Req) -> Req {
        request
    }

    #[inline]
    fn first(&self, request: Req, _terms: Terms) -> (Req, Option<Req>) {
        let kept = request.clone();
        (request, Some(kept))
    }

    fn again(&self, kept: &mut Req) -> Option<Req> {
        Some(kept.clone())
    }

    fn deadline(&self, _kept: &Req) -> Option<Deadline> {
        None
    }
}

impl<B> Replay<Request<B>> for ReplayHttp
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    type Request = Request<ReplayBody<B>>;
    type Kept = KeptRequest<B>;

    fn once(&self, request: Request<B>) -> Self::Request {
        request.map(ReplayBody::once)
    }

    fn first(
        &self,
        mut request: Request<B>,
        terms: Terms,
    ) -> (Self::Request, Option<KeptRequest<B>>) {
        if terms.track_hosts {
            // A retry outside may have marked it, without asking for hosts.
            let attempt = Attempt::of(request.extensions());
            if !attempt.is_tracked() {
                request.extensions_mut().insert(attempt.tracking());
            }
        }
        let (parts, body) = request.into_parts();
        let (body, kept) = ReplayBody::keep(body, terms.body_limit);
        let kept = kept.map(|body| KeptRequest {
            parts: parts.clone(),
            body,
        });
        (Request::from_parts(parts, body), kept)
    }

    fn again(&self, kept: &mut KeptRequest<B>) -> Option<Self::Request> {
        let body = kept.body.again()?;
        let attempt = Attempt::of(&kept.parts.extensions).next();
        kept.parts.extensions.insert(attempt);
        Some(Request::from_parts(kept.parts.clone(), body))
    }

    fn deadline(&self, kept: &KeptRequest<B>) -> Option<Deadline> {
        Deadline::of(&kept.parts.extensions)
    }
}

impl<F, B, O> Replay<Request<B>> for HttpWith<F>
where
    F: Fn(ReplayBody<B>) -> O,
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    type Request = Request<O>;
    type Kept = KeptRequest<B>;

    fn once(&self, request: Request<B>) -> Request<O> {
        ReplayHttp.once(request).map(&self.0)
    }

    fn first(&self, request: Request<B>, terms: Terms) -> (Request<O>, Option<KeptRequest<B>>) {
        let (request, kept) = ReplayHttp.first(request, terms);
        (request.map(&self.0), kept)
    }

    fn again(&self, kept: &mut KeptRequest<B>) -> Option<Request<O>> {
        Some(ReplayHttp.again(kept)?.map(&self.0))
    }

    fn deadline(&self, kept: &KeptRequest<B>) -> Option<Deadline> {
        ReplayHttp.deadline(kept)
    }
}
