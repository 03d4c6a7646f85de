//! From hyper's request to the service and back.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower_service::Service;

use super::{Body, Connection, DrainSignal, Limits, Phase, activity::Activity, received::received};
use crate::{
    BoxError, clock,
    problem::{Caught, Code, Problem},
};

/// The hyper service of one connection.
#[derive(Debug)]
pub(super) struct Handler<S> {
    service: S,
    connection: Connection,
    activity: Arc<Activity>,
    limits: Limits,
}

pin_project! {
    /// The response of the service, or the problem that stands for it.
    pub(super) struct ResponseFuture<S>
    where
        S: Service<Request<Body>>,
    {
        #[pin]
        state: State<S>,
        drain: DrainSignal,
        version: Version,
        is_head: bool,
        // Moves on to the response's body.
        in_flight: Option<InFlight>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S>
    where
        S: Service<Request<Body>>,
    {
        Run { #[pin] future: Caught<Oneshot<S, Request<Body>>> },
        Refused { problem: Option<Problem> },
    }
}

pin_project! {
    /// A response body that keeps its request counted as in flight until it ends or is dropped.
    pub(super) struct ResponseBody<B> {
        #[pin]
        body: Either<Full<Bytes>, B>,
        _in_flight: Option<InFlight>,
    }
}

/// Counts one request for as long as it lives.
#[derive(Debug)]
struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.on_end(clock::now());
    }
}

impl<S> Handler<S> {
    pub(super) const fn new(
        service: S,
        connection: Connection,
        activity: Arc<Activity>,
        limits: Limits,
    ) -> Self {
        Self {
            service,
            connection,
            activity,
            limits,
        }
    }

    fn is_too_large(&self, body: &Incoming) -> bool {
        body.size_hint().lower() > u64::try_from(self.limits.body_limit).unwrap_or(u64::MAX)
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Handler<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
    B: HttpBody<Data = Bytes>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = Infallible;
    type Future = ResponseFuture<S>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.activity.on_request();
        let in_flight = Some(InFlight(self.activity.clone()));
        let drain = self.connection.drain().clone();
        let version = request.version();
        let is_head = *request.method() == Method::HEAD;
        // Refused before a byte of the body is read: a client that asked with `Expect: 100-continue`
        // then never sends it.
        let state = if self.is_too_large(request.body()) {
            State::Refused {
                problem: Some(too_large(self.limits.body_limit)),
            }
        } else {
            let mut request = request
                .map(|body| received(body, self.limits.body_limit, self.limits.body_timeout));
            request.extensions_mut().insert(self.connection.clone());
            State::Run {
                future: Caught::new(Oneshot::new(self.service.clone(), request)),
            }
        };
        ResponseFuture {
            state,
            drain,
            version,
            is_head,
            in_flight,
        }
    }
}

impl<S, B> Future for ResponseFuture<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: HttpBody<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = match this.state.project() {
            StateProjection::Run { future } => match ready!(future.poll(cx)) {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(never)) => match never {},
                Err(panicked) => Err(panicked.into()),
            },
            StateProjection::Refused { problem } => Err(problem
                .take()
                .expect("a future is not polled after it is ready")),
        };
        let mut response = match outcome {
            Ok(response) => response.map(Either::Right),
            Err(problem) => problem.into_response::<Full<Bytes>>().map(Either::Left),
        };
        if *this.version <= Version::HTTP_11
            && this.drain.phase() > Phase::Serving
            && response.status() != StatusCode::SWITCHING_PROTOCOLS
        {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        if *this.version == Version::HTTP_2 && (*this.is_head || has_no_body(response.status())) {
            response = without_body(response);
        }
        let in_flight = this.in_flight.take();
        Poll::Ready(Ok(response.map(|body| ResponseBody {
            body,
            _in_flight: in_flight,
        })))
    }
}

impl<B> HttpBody for ResponseBody<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// What hyper does for HTTP/1 only: a client of HTTP/2 takes a body where none can be for a broken answer
/// (RFC 9113 section 8.1.1). How long it would be is still said.
fn without_body<B>(response: Response<Either<Full<Bytes>, B>>) -> Response<Either<Full<Bytes>, B>>
where
    B: HttpBody<Data = Bytes>,
{
    let (mut parts, body) = response.into_parts();
    let hint = match &body {
        Either::Left(body) => body.size_hint(),
        Either::Right(body) => body.size_hint(),
    };
    if let Some(length @ 1..) = hint.exact()
        && !has_no_body(parts.status)
        && !parts.headers.contains_key(header::CONTENT_LENGTH)
    {
        let length = HeaderValue::from(length);
        parts.headers.insert(header::CONTENT_LENGTH, length);
    }
    Response::from_parts(parts, Either::Left(Full::default()))
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge)
        .with_detail(format!("at most {limit} bytes are accepted"))
        .with_member("limit", limit)
}
