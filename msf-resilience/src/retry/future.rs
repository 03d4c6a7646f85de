//! The response future of the typed face.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use msf_core::classify::{Classify, Verdict};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::{
    call::Call,
    decision::{GiveUp, retryable},
    error::Error,
    policy::Core,
    request::Replay,
};
use crate::{budget::Deposit, late::Late};

pin_project! {
    /// Future of [`RetryService`](super::RetryService).
    ///
    /// Dropping it drops the attempt or the wait.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Req, R, C>
    where
        S: Service<R::Request>,
        R: Replay<Req>,
    {
        // None during a wait and after the end.
        #[pin]
        attempt: Option<S::Future>,
        repeat: Option<Repeat<S, R, R::Kept, R::Request>>,
        classify: C,
        // Until the first failure, whose call takes it.
        deposit: Option<Deposit>,
        late: Late<Core>,
        // Boxed: calls that succeed at once have none.
        retrying: Option<Box<Retrying>>,
    }
}

/// What is needed to make a call again.
pub(super) struct Repeat<S, R, K, Q> {
    /// The service that made the last attempt.
    service: S,
    replay: R,
    kept: K,
    next: Option<Q>,
}

/// A call after its first failure.
struct Retrying {
    call: Call,
    /// Also boxed, to stay where it is.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<S, R, K, Q> Repeat<S, R, K, Q> {
    #[inline]
    pub(super) const fn new(service: S, replay: R, kept: K) -> Self {
        Self {
            service,
            replay,
            kept,
            next: None,
        }
    }
}

impl<S, Req, R, C> ResponseFuture<S, Req, R, C>
where
    S: Service<R::Request>,
    R: Replay<Req>,
{
    #[inline]
    pub(super) const fn new(
        attempt: S::Future,
        repeat: Option<Repeat<S, R, R::Kept, R::Request>>,
        classify: C,
        deposit: Deposit,
        late: Late<Core>,
    ) -> Self {
        Self {
            attempt: Some(attempt),
            repeat,
            classify,
            deposit: Some(deposit),
            late,
            retrying: None,
        }
    }
}

impl<S, Req, R, C> Future for ResponseFuture<S, Req, R, C>
where
    S: Service<R::Request>,
    R: Replay<Req>,
    C: Classify<S::Response, S::Error>,
{
    type Output = Result<S::Response, Error<S::Error>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            if let Some(attempt) = this.attempt.as_mut().as_pin_mut() {
                let outcome = ready!(attempt.poll(cx));
                this.attempt.set(None);
                let seen = this.classify.classify(outcome.as_ref());
                if this.retrying.is_none() && retryable(&seen).is_none() {
                    // The usual end: nothing failed.
                    if let Some(deposit) = this.deposit.take()
                        && seen.verdict == Verdict::Success
                    {
                        deposit.succeeded();
                    }
                    return Poll::Ready(outcome.map_err(Error::Inner));
                }
                match fail(this.repeat, this.deposit, *this.late, this.retrying, &seen) {
                    // The answer is dropped here, before the wait.
                    Ok(()) => {}
                    Err(GiveUp::Budget) => {
                        let refusal = this.retrying.as_ref().and_then(|it| it.call.refusal());
                        *this.retrying = None;
                        return Poll::Ready(match refusal {
                            Some(refusal) => Err(Error::BudgetExhausted(refusal)),
                            None => outcome.map_err(Error::Inner),
                        });
                    }
                    Err(_) => {
                        *this.retrying = None;
                        return Poll::Ready(outcome.map_err(Error::Inner));
                    }
                }
            }
            let (Some(retrying), Some(repeat)) = (&mut *this.retrying, &mut *this.repeat) else {
                panic!("a future is not polled after its end");
            };
            if let Some(sleep) = &mut retrying.sleep {
                ready!(sleep.as_mut().poll(cx));
                retrying.sleep = None;
            }
            if let Err(error) = ready!(repeat.service.poll_ready(cx)) {
                *this.retrying = None;
                return Poll::Ready(Err(Error::Inner(error)));
            }
            let request = repeat.next.take();
            let request = request.expect("a wait begins with the request that follows it");
            retrying.call.begin_attempt();
            this.attempt.set(Some(repeat.service.call(request)));
        }
    }
}

/// An attempt failed, or a later one ended. `Ok` begins the wait for the next.
#[cold]
fn fail<S, Req, R>(
    repeat: &mut Option<Repeat<S, R, R::Kept, R::Request>>,
    deposit: &mut Option<Deposit>,
    late: Late<Core>,
    retrying: &mut Option<Box<Retrying>>,
    seen: &msf_core::classify::Classification,
) -> Result<(), GiveUp>
where
    R: Replay<Req>,
{
    if retrying.is_none() {
        // Without its policy, gone for long, a call has no rules by which it could be made again.
        let policy = late.find().ok_or(GiveUp::NotRepeatable)?;
        let deposit = deposit.take().unwrap_or(Deposit::none());
        let call = Call::new(policy, deposit);
        *retrying = Some(Box::new(Retrying { call, sleep: None }));
    }
    let retrying = retrying.as_mut().ok_or(GiveUp::NotRepeatable)?;
    let call = &mut retrying.call;
    let next = match repeat {
        // Asked for before the budget, which a retry that cannot be made is not to charge.
        Some(repeat) if retryable(seen).is_some() && call.has_attempts() => {
            let deadline = repeat.replay.deadline(&repeat.kept);
            repeat
                .replay
                .again(&mut repeat.kept)
                .map(|next| (repeat, next, deadline))
        }
        None if call.has_attempts() => None,
        _ => return call.after(seen, None).map(drop),
    };
    let Some((repeat, next, deadline)) = next else {
        call.not_repeatable();
        return Err(GiveUp::NotRepeatable);
    };
    let wait = call.allow(seen, deadline)?;
    repeat.next = Some(next);
    retrying.sleep = Some(Box::pin(sleep(wait)));
    Ok(())
}

impl<S, Req, R, C> fmt::Debug for ResponseFuture<S, Req, R, C>
where
    S: Service<R::Request>,
    R: Replay<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.retrying.as_ref().map(|retrying| &retrying.call);
        f.debug_struct("ResponseFuture")
            .field("is_waiting", &self.attempt.is_none())
            .field("call", &call)
            .finish_non_exhaustive()
    }
}
