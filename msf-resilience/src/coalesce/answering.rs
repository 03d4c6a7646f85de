//! The face for HTTP: answers with a bounded body, shared as bytes.

use std::{
    fmt,
    future::Future,
    hash::Hash,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, response::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    body::{CoalescedBody, Gather, Gathered, Whole, Why},
    handle::Coalesce,
    seat::{Seat, Turn},
    share::Share,
};
use crate::oneshot::Oneshot;

/// An answer that several callers get.
pub type Answer<E> = Result<Response<Whole>, E>;

/// Makes equal requests to an HTTP service once.
///
/// The key is a closure's; [`HttpKey::of`](super::HttpKey::of) is the cautious one. The error type stays that of the service
/// inside, which has to be `Clone`, so it drops into `axum::Router::layer`:
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use msf_resilience::coalesce::{Coalesce, CoalesceLayer, HttpKey};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reports = Coalesce::builder("reports").build()?;
/// let app: Router = Router::new()
///     .route("/", get(|| async {
///         tokio::time::sleep(Duration::from_millis(5)).await;
///         "a report"
///     }))
///     .layer(CoalesceLayer::answering(reports, HttpKey::of::<Body>));
///
/// let call = || app.clone().oneshot(Request::new(Body::empty()));
/// let (a, b) = tokio::join!(call(), call());
/// assert_eq!((a?.status(), b?.status()), (http::StatusCode::OK, http::StatusCode::OK));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct AnsweringCoalesceLayer<K, E, F> {
    coalesce: Coalesce<K, Answer<E>>,
    key: F,
}

/// An HTTP service of which equal requests are made once. Made by [`AnsweringCoalesceLayer`].
pub struct AnsweringCoalesceService<S, K, E, F> {
    inner: S,
    coalesce: Coalesce<K, Answer<E>>,
    key: F,
}

pin_project! {
    /// Future of [`AnsweringCoalesceService`].
    ///
    /// Dropped by who leads, the call begins anew with one who follows.
    #[must_use = "futures do nothing unless polled"]
    pub struct AnsweringFuture<S, Req, K, B>
    where
        S: Service<Req>,
        B: Body,
    {
        #[pin]
        call: Oneshot<S, Req>,
        gather: Option<(Parts, Gather<B>)>,
        #[pin]
        seat: Seat<K, Answer<S::Error>>,
        bound: usize,
    }
}

impl<K, E, F> AnsweringCoalesceLayer<K, E, F> {
    pub(super) const fn new(coalesce: Coalesce<K, Answer<E>>, key: F) -> Self {
        Self { coalesce, key }
    }
}

impl<S, K, E, F: Clone> Layer<S> for AnsweringCoalesceLayer<K, E, F> {
    type Service = AnsweringCoalesceService<S, K, E, F>;

    fn layer(&self, inner: S) -> Self::Service {
        AnsweringCoalesceService {
            inner,
            coalesce: self.coalesce.clone(),
            key: self.key.clone(),
        }
    }
}

impl<S, K, E, F, ReqB, B> Service<Request<ReqB>> for AnsweringCoalesceService<S, K, E, F>
where
    S: Service<Request<ReqB>, Response = Response<B>, Error = E> + Clone,
    E: Clone,
    F: Fn(&Request<ReqB>) -> Option<K>,
    K: Eq + Hash,
    B: Body<Data = Bytes>,
{
    type Response = Response<CoalescedBody<B>>;
    type Error = E;
    type Future = AnsweringFuture<S, Request<ReqB>, K, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let key = (self.key)(&request);
        let seat = key.map_or_else(Seat::alone, |key| self.coalesce.join(key));
        let call = if seat.follows() {
            Oneshot::new(self.inner.clone(), request)
        } else {
            Oneshot::called(self.inner.call(request))
        };
        AnsweringFuture {
            call,
            gather: None,
            seat,
            bound: self.coalesce.max_body(),
        }
    }
}

impl<S, Req, K, B> Future for AnsweringFuture<S, Req, K, B>
where
    S: Service<Req, Response = Response<B>>,
    S::Error: Clone,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<CoalescedBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.gather.is_none() {
            if let Turn::Take(outcome) = ready!(this.seat.as_mut().poll_turn(cx)) {
                return Poll::Ready(outcome.map(|answer| answer.map(CoalescedBody::whole)));
            }
            let response = match ready!(this.call.as_mut().poll(cx)) {
                Ok(response) => response,
                Err(error) => {
                    this.seat.land(|| Err(error.clone()));
                    return Poll::Ready(Err(error));
                }
            };
            // A body is read for followers only: for one caller it streams.
            if !this.seat.as_mut().is_followed() {
                return Poll::Ready(Ok(response.map(CoalescedBody::passing)));
            }
            let is_too_long = response.body().size_hint().lower() > *this.bound as u64;
            match Share::of(&response) {
                Share::Everybody if !is_too_long => {}
                Share::Again => {
                    this.seat.vacate();
                    return Poll::Ready(Ok(response.map(CoalescedBody::passing)));
                }
                Share::Everybody | Share::LeaderOnly => {
                    this.seat.scatter();
                    return Poll::Ready(Ok(response.map(CoalescedBody::passing)));
                }
            }
            let (parts, body) = response.into_parts();
            *this.gather = Some((parts, Gather::new(body, *this.bound)));
        }
        let Some((_, gather)) = this.gather else {
            return Poll::Pending;
        };
        let gathered = match gather.poll(cx) {
            Poll::Ready(gathered) => gathered,
            Poll::Pending => {
                ready!(this.seat.as_mut().poll_patience(cx));
                gather.give_up()
            }
        };
        let Some((parts, _)) = this.gather.take() else {
            return Poll::Pending;
        };
        let body = match gathered {
            Gathered::Whole(whole) => {
                let answer = Response::from_parts(parts, whole);
                this.seat.land(|| Ok(answer.clone()));
                return Poll::Ready(Ok(answer.map(CoalescedBody::whole)));
            }
            Gathered::Part(body, Why::TooLong | Why::TooSlow) => {
                this.seat.scatter();
                body
            }
            Gathered::Part(body, Why::Broken) => {
                this.seat.vacate();
                body
            }
        };
        Poll::Ready(Ok(Response::from_parts(parts, body)))
    }
}

impl<K, E, F: Clone> Clone for AnsweringCoalesceLayer<K, E, F> {
    fn clone(&self) -> Self {
        Self::new(self.coalesce.clone(), self.key.clone())
    }
}

impl<S: Clone, K, E, F: Clone> Clone for AnsweringCoalesceService<S, K, E, F> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            coalesce: self.coalesce.clone(),
            key: self.key.clone(),
        }
    }
}

impl<K, E, F> fmt::Debug for AnsweringCoalesceLayer<K, E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnsweringCoalesceLayer")
            .field("coalesce", &self.coalesce)
            .finish_non_exhaustive()
    }
}

impl<S, K, E, F> fmt::Debug for AnsweringCoalesceService<S, K, E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnsweringCoalesceService")
            .field("coalesce", &self.coalesce)
            .finish_non_exhaustive()
    }
}

impl<S: Service<Req>, Req, K, B: Body> fmt::Debug for AnsweringFuture<S, Req, K, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnsweringFuture")
            .field("seat", &self.seat)
            .finish_non_exhaustive()
    }
}
