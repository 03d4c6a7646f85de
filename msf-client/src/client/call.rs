//! One call: what is the same for all its attempts, and how it is counted.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use msf_core::{body::Body, clock};
use tokio::time::Instant;

use super::{
    attempt::{Terms, attempt},
    body::{InFlight, ResponseBody, answered},
    limit::Limit,
    metrics::Outcome,
    plan::Plan,
    repeat,
    service::Target,
    span::{self, CallSpan},
};
use crate::{
    Error,
    transport::{Connections, Progress},
};

/// Waits for the head of an answer. Made by [`ServiceClient::call`](crate::ServiceClient::call).
///
/// It holds one box, because the future that hyper gives for a request has no name.
#[must_use = "futures do nothing unless polled"]
pub struct Call(Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, Error>> + Send>>);

impl Call {
    pub(super) fn new(
        target: Arc<Target>,
        connections: Connections,
        timeout: Duration,
        plan: Option<Arc<Plan>>,
        mut request: Request<Body>,
    ) -> Self {
        // Here and not in the future: the context is that of whoever makes the call, and the future
        // may be polled elsewhere.
        let span = span::open(target.name(), &mut request);
        // Two futures and not one with a branch: its box would have room for two attempts in every call.
        match plan {
            None => Self(Box::pin(async move {
                let mut record = Record::new(&target, span);
                let limit = Limit::of(&mut request, timeout, record.started);
                let mut request = Some(request);
                let outcome = once(&target, &connections, &mut request, &limit).await;
                record.finish(&outcome);
                outcome
            })),
            Some(plan) => Self(Box::pin(async move {
                let mut record = Record::new(&target, span);
                let limit = Limit::of(&mut request, timeout, record.started);
                let outcome =
                    repeat::run(&target, &connections, &plan, request, &limit, &record.span).await;
                record.finish(&outcome);
                outcome
            })),
        }
    }
}

impl Future for Call {
    type Output = Result<Response<ResponseBody>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

/// Counts a call once, on whatever path it ends.
struct Record<'a> {
    target: &'a Target,
    span: CallSpan,
    started: Instant,
    is_done: bool,
}

impl<'a> Record<'a> {
    fn new(target: &'a Target, span: CallSpan) -> Self {
        Self {
            target,
            span,
            started: clock::now(),
            is_done: false,
        }
    }

    fn finish(&mut self, outcome: &Result<Response<ResponseBody>, Error>) {
        let ended = match outcome {
            Ok(response) => {
                self.span.record_status(response.status());
                Outcome::of_status(response.status())
            }
            Err(error) => {
                let ended = Outcome::of_error(error);
                self.span.record_error(ended.as_str());
                ended
            }
        };
        self.observe(ended);
    }

    fn observe(&mut self, ended: Outcome) {
        self.is_done = true;
        let took = clock::now().saturating_duration_since(self.started);
        self.target.metrics.observe(ended, took);
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.observe(Outcome::Cancelled);
        }
    }
}

/// A call that is one attempt.
async fn once(
    target: &Target,
    connections: &Connections,
    request: &mut Option<Request<Body>>,
    limit: &Limit,
) -> Result<Response<ResponseBody>, Error> {
    if let Some(request) = request {
        begin(target, request, limit)?;
    }
    let active = target.metrics.active.track();
    let terms = Terms {
        instances_max: target.settings.attempts,
        tried: None,
        may_return: false,
    };
    match attempt(target, connections, request, limit, terms).await {
        Ok(answer) => {
            let in_flight = InFlight::new(answer.picked, active);
            let service = target.name().clone();
            Ok(answered(answer.response, service, in_flight))
        }
        Err(failure) => Err(failure.into_error()),
    }
}

/// What comes before the first attempt.
pub(super) fn begin(
    target: &Target,
    request: &mut Request<Body>,
    limit: &Limit,
) -> Result<(), Error> {
    if limit.deadline.is_expired() {
        return Err(limit.exceeded(target.name(), Progress::Unsent));
    }
    target.address(request)
}
