//! One call: resolve, ask the breaker, pick, send, record.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use msf_core::{
    body::Body,
    classify::{Classification, Http},
    clock,
    deadline::Deadline,
};
use msf_registry::{Picked, Scheme};
use msf_resilience::circuit_breaker::Permit;
use tokio::time::{self, Instant};

use super::{
    body::{InFlight, ResponseBody},
    metrics::Outcome,
    service::Target,
    span::{self, CallSpan},
    upload::Waited,
};
use crate::{
    Error,
    transport::{Connections, Failed, Progress, TransportError, Upstream},
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
        mut request: Request<Body>,
    ) -> Self {
        // Here and not in the future: the context is that of whoever makes the call, and the future
        // may be polled elsewhere.
        let span = span::open(target.name(), &mut request);
        Self(Box::pin(async move {
            let mut record = Record {
                target: &target,
                span,
                started: clock::now(),
                is_done: false,
            };
            let limit = Limit::of(&mut request, timeout, record.started);
            let outcome = run(&target, &connections, request, limit).await;
            record.finish(&outcome);
            outcome
        }))
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

impl Record<'_> {
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

async fn run(
    target: &Target,
    connections: &Connections,
    mut request: Request<Body>,
    limit: Limit,
) -> Result<Response<ResponseBody>, Error> {
    if limit.deadline.is_expired() {
        return Err(limit.exceeded(target, Progress::Unsent));
    }
    target.address(&mut request)?;
    let active = target.metrics.active.track();
    let permit = Admitted {
        permit: Some(target.breaker.try_acquire()?),
        limit: &limit,
    };
    let mut tried = Vec::new();
    let mut failed = None;
    let (error, judged) = loop {
        let mut picked = match target.pick(&tried, &limit).await {
            Ok(picked) => picked,
            // When all were tried, what the last one did says more.
            Err(none) => break failed.unwrap_or_else(|| (none.into(), Classification::IGNORE)),
        };
        limit.deadline.write_to(request.headers_mut());
        let mut progress = Progress::default();
        let sending = send(connections, &picked, request, &mut progress);
        let (error, unsent) = match time::timeout_at(limit.deadline.instant(), sending).await {
            Ok(Ok(response)) => {
                let judged = Http::default().classify_head(response.status(), response.headers());
                let answered = clock::now();
                picked.record(&judged);
                permit.complete_at(&judged, answered);
                let in_flight = InFlight::new(picked, active);
                let service = target.name().clone();
                return Ok(response.map(|body| ResponseBody::new(body, service, in_flight)));
            }
            Ok(Err(Failed { error, request })) => (error, request),
            Err(_elapsed) => {
                let judged = limit.blame(limit.allotted);
                picked.record(&judged);
                break (limit.exceeded(target, progress), judged);
            }
        };
        let judged = judge(&error);
        picked.record(&judged);
        let service = target.name().clone();
        match unsent {
            Some(unsent) => {
                let error = Error::Connect {
                    service,
                    source: error,
                };
                tried.push(picked.instance().id.clone());
                if tried.len() >= target.settings.attempts {
                    break (error, judged);
                }
                failed = Some((error, judged));
                request = *unsent;
            }
            None => {
                let source = error;
                break (Error::Transport { service, source }, judged);
            }
        }
    };
    permit.complete_at(&judged, clock::now());
    Err(error)
}

/// A breaker's permit, which knows what it means when the call is dropped.
struct Admitted<'a> {
    permit: Option<Permit>,
    limit: &'a Limit,
}

impl Admitted<'_> {
    fn complete_at(mut self, judged: &Classification, now: Instant) {
        if let Some(permit) = self.permit.take() {
            permit.complete_at(judged, now);
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let now = clock::now();
        let took = now.saturating_duration_since(self.limit.started);
        // Who hangs up at once has not waited for the callee: twenty such callers must not open the
        // breaker for everybody. A drop after a fair time stays a cancellation, which the breaker weighs.
        if self.limit.blame(took) == Classification::IGNORE {
            permit.complete_at(&Classification::IGNORE, now);
        }
    }
}

async fn send(
    connections: &Connections,
    picked: &Picked,
    request: Request<Body>,
    progress: &mut Progress,
) -> Result<crate::transport::TransportResponse, Failed> {
    if picked.instance().first_endpoint().scheme != Scheme::Http {
        return Err(Failed {
            error: TransportError::InvalidRequest {
                reason: "the instance speaks TLS, which this client does not",
            },
            request: Some(Box::new(request)),
        });
    }
    let upstream = Upstream::new();
    connections
        .exchange(picked.addr(), &upstream, request, progress)
        .await
}

/// What a failure says about the instance and the service.
const fn judge(error: &TransportError) -> Classification {
    if error.is_own_fault() {
        Classification::IGNORE
    } else {
        Classification::FAILURE
    }
}

/// How long the call may take, and on whose word.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) deadline: Deadline,
    pub(super) started: Instant,
    allotted: Duration,
    timeout: Duration,
    waited: Waited,
}

impl Limit {
    fn of(request: &mut Request<Body>, timeout: Duration, now: Instant) -> Self {
        let timeout = timeout.min(Deadline::MAX);
        let own = Deadline::at(now + timeout);
        let deadline = match Deadline::of(request.extensions()) {
            Some(callers) => callers.min(own),
            None => own,
        };
        Self {
            deadline,
            started: now,
            allotted: deadline.instant().saturating_duration_since(now),
            timeout,
            waited: Waited::follow(request, now),
        }
    }

    /// What a callee's silence for so long says about it.
    ///
    /// It is blamed only if it had a fair part of the usual time to itself: otherwise whoever sends short
    /// deadlines or slow bodies could open the breaker for everybody.
    fn blame(&self, silent: Duration) -> Classification {
        let is_fair = self
            .waited
            .until()
            .is_some_and(|waited| silent.saturating_sub(waited) >= self.timeout / 2);
        if is_fair {
            Classification::FAILURE
        } else {
            Classification::IGNORE
        }
    }

    fn exceeded(&self, target: &Target, progress: Progress) -> Error {
        let service = target.name().clone();
        let is_unsent = progress == Progress::Unsent;
        if self.allotted < self.timeout {
            Error::DeadlineExceeded { service, is_unsent }
        } else {
            Error::Timeout {
                service,
                timeout: self.timeout,
                is_unsent,
            }
        }
    }
}
