//! A call of several attempts, one after the other or side by side.

use std::{
    future::Future,
    task::{Context, Poll},
};

use http::{Method, Request, Response, header, request::Parts};
use http_body::Body as _;
use msf_core::{
    body::Body,
    classify::{Classification, Verdict},
    clock,
    deadline::Deadline,
};
use msf_resilience::{
    circuit_breaker::State,
    hedge::{HedgeLayer, HedgePolicy, Repeat},
    replay::{Kept, ReplayBody},
    retry::{self, GiveUp, Idempotent, Repeatable, RetryPolicy},
};
use tokio::time;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    attempt::{Answer, Failure, Terms, Tried, attempt},
    body::{InFlight, ResponseBody, answered},
    call::begin,
    limit::Limit,
    plan::Plan,
    service::Target,
    span::CallSpan,
};
use crate::{Error, transport::Connections};

type Outcome = Result<Answer, Failure>;

/// What all attempts of a call have in common.
#[derive(Clone, Copy)]
struct Way<'a> {
    target: &'a Target,
    connections: &'a Connections,
    plan: &'a Plan,
    limit: &'a Limit,
    tried: &'a Tried,
}

/// A call under a plan, which has retries, hedges or a time for each attempt.
///
/// Retries are outside of hedges, and both outside of the breaker and of the pick: each attempt asks the
/// breaker, is counted by it, and goes elsewhere if there is an elsewhere.
pub(super) async fn run(
    target: &Target,
    connections: &Connections,
    plan: &Plan,
    mut request: Request<Body>,
    limit: &Limit,
    span: &CallSpan,
) -> Result<Response<ResponseBody>, Error> {
    begin(target, &mut request, limit)?;
    let active = target.metrics.active.track();
    let tried = Tried::default();
    let way = Way {
        target,
        connections,
        plan,
        limit,
        tried: &tried,
    };
    // Not a part of any attempt, whose time may be short.
    target.known(limit).await;
    let outcome = way.all(request, span).await;
    match outcome? {
        Ok(answer) => {
            let in_flight = InFlight::new(answer.picked, active);
            let service = target.name().clone();
            Ok(answered(answer.response, service, in_flight))
        }
        Err(failure) => Err(failure.into_error()),
    }
}

impl Way<'_> {
    /// The outcome of the last attempt, or the error of a budget that refuses.
    async fn all(self, request: Request<Body>, span: &CallSpan) -> Result<Outcome, Error> {
        // Counted once per call, whatever policies share the budget.
        let deposit = self.target.budget.deposit();
        let Some(policy) = &self.plan.retry else {
            let outcome = self.one(request, 0).await;
            if judged(&outcome).verdict == Verdict::Success {
                deposit.succeeded();
            }
            return Ok(outcome);
        };
        let (mut request, again) = Again::split(request, policy);
        let mut deposit = Some(deposit);
        let mut call = policy.begin();
        loop {
            let resent = call.attempts() - 1;
            let mut outcome = self.one(request, resent).await;
            span.record_resends(resent);
            let judged = judged(&outcome);
            if !retry::is_retryable(&judged) || !call.has_attempts() {
                // Says no, and settles what the call holds of the budget.
                let _final = call.after(&judged, None);
                if judged.verdict == Verdict::Success
                    && resent == 0
                    && let Some(deposit) = deposit.take()
                {
                    deposit.succeeded();
                }
                return Ok(outcome);
            }
            // An open breaker would refuse the attempt, and its refusal says less than this outcome.
            if matches!(self.target.breaker.state(), State::Open | State::ForcedOpen) {
                return Ok(outcome);
            }
            let Some(next) = next(&mut outcome, again.as_ref()) else {
                call.not_repeatable();
                return Ok(outcome);
            };
            match call.allow(&judged, Some(self.limit.deadline)) {
                Ok(wait) => {
                    // The answer goes before the wait, and with it its connection.
                    drop(outcome);
                    time::sleep(wait).await;
                    call.begin_attempt();
                    request = next;
                }
                Err(GiveUp::Budget) => {
                    return match call.refusal() {
                        Some(refusal) => Err(refusal.into()),
                        None => Ok(outcome),
                    };
                }
                Err(_) => return Ok(outcome),
            }
        }
    }

    /// One attempt, or as many side by side as the hedge makes of it.
    async fn one(self, request: Request<Body>, resent: u32) -> Outcome {
        let terms = Terms {
            // A retry that finds nobody is a retry that was made.
            instances_max: if resent == 0 {
                self.target.settings.attempts
            } else {
                1
            },
            tried: Some(self.tried),
            may_return: resent > 0,
        };
        match &self.plan.hedge {
            Some(policy) if is_hedgeable(&request) => self.hedged(policy, request, terms).await,
            _ => self.attempt(request, terms).await,
        }
    }

    async fn hedged(
        self,
        policy: &HedgePolicy,
        request: Request<Body>,
        terms: Terms<'_>,
    ) -> Outcome {
        let attempts = Attempts(move |request: Request<Body>| {
            let terms = if request.extensions().get::<Helper>().is_some() {
                // To another instance or not at all: the first is slow already.
                Terms {
                    instances_max: 1,
                    may_return: false,
                    ..terms
                }
            } else {
                terms
            };
            self.attempt(request, terms)
        });
        let copies = Copies {
            deadline: self.limit.deadline,
        };
        let judge = |outcome: Result<&Answer, &Failure>| match outcome {
            Ok(answer) => answer.judged,
            Err(failure) => failure.judged,
        };
        let layer = HedgeLayer::new(policy.clone(), copies).classify(judge);
        layer.layer(attempts).call(request).await
    }

    async fn attempt(self, request: Request<Body>, terms: Terms<'_>) -> Outcome {
        let limit = self.limit.attempt(self.plan.attempt_timeout, clock::now());
        let mut request = Some(request);
        let outcome = attempt(self.target, self.connections, &mut request, &limit, terms).await;
        outcome.map_err(|failure| Failure {
            unsent: request.map(Box::new),
            ..failure
        })
    }
}

const fn judged(outcome: &Outcome) -> Classification {
    match outcome {
        Ok(answer) => answer.judged,
        Err(failure) => failure.judged,
    }
}

/// The request of the next attempt, if there may be one.
fn next(outcome: &mut Outcome, again: Option<&Again>) -> Option<Request<Body>> {
    let failure = outcome.as_mut().err();
    if let Some(unsent) = failure.and_then(|failure| failure.unsent.take()) {
        return Some(*unsent);
    }
    let is_unsent = matches!(outcome, Err(failure) if failure.error.is_unsent());
    // What certainly did nothing may be sent again whatever it does.
    again.filter(|it| it.is_repeatable || is_unsent)?.next()
}

/// What is needed to send a request again.
struct Again {
    parts: Parts,
    body: Kept<Body>,
    is_repeatable: bool,
}

impl Again {
    /// The request to send now, and what is kept of it.
    fn split(request: Request<Body>, policy: &RetryPolicy) -> (Request<Body>, Option<Self>) {
        let is_repeatable = Idempotent.is_repeatable(&request, policy.methods());
        // Of those that may not be sent twice, the ones that cost nothing to keep: some never arrive.
        let is_kept = is_repeatable || request.body().is_in_memory();
        // Keeping a body may ask for its first piece, and asking tells its sender to go on.
        let expects = request.headers().contains_key(header::EXPECT);
        if policy.max_attempts() < 2 || !is_kept || expects {
            return (request, None);
        }
        let (parts, body) = request.into_parts();
        let (body, kept) = ReplayBody::keep(body, policy.body_limit());
        let again = kept.map(|body| Self {
            parts: parts.clone(),
            body,
            is_repeatable,
        });
        (Request::from_parts(parts, body.into()), again)
    }

    /// The request once more, unless its body was too long to keep.
    fn next(&self) -> Option<Request<Body>> {
        let body = self.body.again()?;
        Some(Request::from_parts(self.parts.clone(), body.into()))
    }
}

/// Whether a request may be under way twice at the same time.
///
/// Only one that reads: of two that delete, the one that comes second finds nothing, and its answer may be
/// the one that counts. And only without a body, and not one that becomes a tunnel.
fn is_hedgeable(request: &Request<Body>) -> bool {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    reads && request.body().is_end_stream() && !request.headers().contains_key(header::UPGRADE)
}

/// A function as a service, whose future needs no name.
#[derive(Clone)]
struct Attempts<F>(F);

impl<F, T> Service<Request<Body>> for Attempts<F>
where
    F: Fn(Request<Body>) -> T,
    T: Future<Output = Outcome>,
{
    type Response = Answer;
    type Error = Failure;
    type Future = T;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> T {
        (self.0)(request)
    }
}

/// In the extensions of an attempt that comes to the help of a slow one.
#[derive(Clone, Copy)]
struct Helper;

/// Copies of requests without a body.
#[derive(Clone, Copy)]
struct Copies {
    deadline: Deadline,
}

impl Repeat<Request<Body>> for Copies {
    fn copy(&self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut copy = Request::new(Body::empty());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        copy.headers_mut().clone_from(request.headers());
        copy.extensions_mut().clone_from(request.extensions());
        Some(copy)
    }

    fn count(&self, request: &mut Request<Body>) {
        request.extensions_mut().insert(Helper);
    }

    fn deadline(&self, _request: &Request<Body>) -> Option<Deadline> {
        Some(self.deadline)
    }
}
