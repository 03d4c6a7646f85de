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
use hyper::{body::Incoming, upgrade::OnUpgrade};
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower_service::Service;

use super::{
    Body, Connection, DrainSignal, Limits, Phase, Refusal,
    activity::Activity,
    pace::Pace,
    received::{OpenBody, received},
    refused::Refusals,
    stall::{Said, Streams, say},
};
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
    refusals: Arc<Refusals>,
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
    ///
    /// Over HTTP/2 it comes in small pieces: only between two of them can be seen that the client takes them.
    pub(super) struct ResponseBody<B>
    where
        B: HttpBody<Data = Bytes>,
    {
        #[pin]
        body: Either<Full<Bytes>, B>,
        is_multiplexed: bool,
        // Of the last frame.
        rest: Bytes,
        in_flight: Option<InFlight>,
    }

    impl<B> PinnedDrop for ResponseBody<B>
    where
        B: HttpBody<Data = Bytes>,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let Some(in_flight) = this.in_flight else {
                return;
            };
            in_flight.has_ended |= this.rest.is_empty() && match this.body.as_ref().get_ref() {
                Either::Left(body) => is_over(body),
                Either::Right(body) => is_over(body),
            };
        }
    }
}

/// Counts one request for as long as it lives.
#[derive(Debug)]
struct InFlight {
    activity: Arc<Activity>,
    /// Not given up by the client.
    has_ended: bool,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.activity.on_end(clock::now(), !self.has_ended);
    }
}

impl<S> Handler<S> {
    pub(super) const fn new(
        service: S,
        connection: Connection,
        activity: Arc<Activity>,
        limits: Limits,
        refusals: Arc<Refusals>,
    ) -> Self {
        Self {
            service,
            connection,
            activity,
            limits,
            refusals,
        }
    }

    /// Who runs the requests of HTTP/2.
    pub(super) fn streams(&self) -> Streams {
        Streams::new(
            self.connection.clone(),
            self.activity.clone(),
            self.refusals.clone(),
            self.limits.write_timeout,
        )
    }

    /// Whether the host of a request has another TLS policy than the one that its connection was let in by. A
    /// client without a certificate must not come to a host that asks for one over a connection to another.
    #[cfg_attr(
        not(feature = "tls"),
        expect(clippy::unused_self, reason = "without TLS there is nothing to ask")
    )]
    fn is_misdirected<B>(&self, request: &Request<B>) -> bool {
        #[cfg(feature = "tls")]
        if let Some(tls) = self.connection.tls() {
            return tls.is_misdirected(request.uri(), request.headers());
        }
        let _: &Request<B> = request;
        false
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
        if request.extensions().get::<OnUpgrade>().is_some() {
            self.activity.on_upgrade_wanted();
        }
        let in_flight = Some(InFlight {
            activity: self.activity.clone(),
            has_ended: false,
        });
        let drain = self.connection.drain().clone();
        let version = request.version();
        let is_head = *request.method() == Method::HEAD;
        let open = OpenBody::of(request.body(), version, &self.activity);
        // Refused before a byte of the body is read: a client that asked with `Expect: 100-continue`
        // then never sends it.
        let state = if self.is_misdirected(&request) {
            self.refusals
                .refused_request(Refusal::Misdirected, &self.connection, &request);
            State::Refused {
                problem: Some(misdirected()),
            }
        } else if self.is_too_large(request.body()) {
            self.refusals
                .refused_request(Refusal::BodyTooLarge, &self.connection, &request);
            State::Refused {
                problem: Some(too_large(self.limits.body_limit)),
            }
        } else {
            let pace = Pace::new(&self.limits, !is_grpc(&request));
            let mut request =
                request.map(|body| received(body, open, version, self.limits.body_limit, pace));
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
        let is_multiplexed = *this.version == Version::HTTP_2;
        Poll::Ready(Ok(response.map(|body| ResponseBody {
            body,
            is_multiplexed,
            rest: Bytes::new(),
            in_flight,
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
        let this = self.project();
        if *this.is_multiplexed {
            if !this.rest.is_empty() {
                say(Said::Frame);
                return Poll::Ready(Some(Ok(Frame::data(piece_of(this.rest)))));
            }
            say(Said::Pending);
        }
        let mut frame = ready!(this.body.poll_frame(cx));
        if *this.is_multiplexed {
            say(Said::Frame);
            frame = frame.map(|frame| frame.map(|frame| first_piece(frame, this.rest)));
        }
        if let (None | Some(Err(_)), Some(in_flight)) = (&frame, this.in_flight) {
            in_flight.has_ended = true;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if rest > 0 {
            let upper = hint.upper().and_then(|upper| upper.checked_add(rest));
            let lower = hint.lower().saturating_add(rest);
            hint = SizeHint::new();
            hint.set_lower(lower);
            if let Some(upper) = upper {
                hint.set_upper(upper);
            }
        }
        hint
    }
}

/// Leaves what is more than a piece in `rest`.
fn first_piece(frame: Frame<Bytes>, rest: &mut Bytes) -> Frame<Bytes> {
    if frame.data_ref().is_none_or(|data| data.len() <= PIECE) {
        return frame;
    }
    match frame.into_data() {
        Ok(data) => {
            *rest = data;
            Frame::data(piece_of(rest))
        }
        Err(frame) => frame,
    }
}

fn piece_of(rest: &mut Bytes) -> Bytes {
    rest.split_to(rest.len().min(PIECE))
}

/// What hyper sends as one frame to nearly every client. Within the default write timeout of 30 s it takes 546 bytes per
/// second, about what is asked of a request's body.
const PIECE: usize = 16 << 10;

/// Streams of messages, which are open while nothing is to be said.
fn is_grpc(request: &Request<Incoming>) -> bool {
    request.version() == Version::HTTP_2
        && request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// Whether a body that is dropped now has nothing left to send.
fn is_over(body: &impl HttpBody) -> bool {
    body.is_end_stream() || body.size_hint().exact() == Some(0)
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

/// RFC 9110 section 15.5.20: the client may ask again over a connection of its own to that host.
fn misdirected() -> Problem {
    Problem::new(Code::MisdirectedRequest)
        .with_detail("this host is not served over this connection; open another one to it")
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge)
        .with_detail(format!("at most {limit} bytes are accepted"))
        .with_member("limit", limit)
}
