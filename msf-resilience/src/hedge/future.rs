//! The response future: the first attempt, and those that came to its help.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use msf_core::classify::{Classify, Verdict};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::{hot::Track, repeat::Repeat};
use crate::{
    budget::{Budget, Deposit, Withdrawal},
    oneshot::Oneshot,
    timed::poll_timer,
};
use tower_service::Service;

pin_project! {
    /// Future of [`HedgeService`](super::HedgeService).
    ///
    /// Dropped, it drops all attempts that are under way. Of those that lose, too, nothing is left when it is done: to
    /// a breaker inside they are cancelled.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Req, R, C>
    where
        S: Service<Req>,
    {
        #[pin]
        first: Option<S::Future>,
        #[pin]
        second: Oneshot<S, Req>,
        second_withdrawal: Option<Withdrawal>,
        // Third and fourth attempts, which almost nobody configures: not worth room in every call.
        more: Vec<Helper<S, Req>>,
        #[pin]
        timer: Option<Sleep>,
        spare: Option<Spare<S, Req, R>>,
        kept: Option<Kept<S::Response, S::Error>>,
        track: Track,
        deposit: Option<Deposit>,
        classify: C,
    }
}

type Helper<S, Req> = (Pin<Box<Oneshot<S, Req>>>, Option<Withdrawal>);

/// What a further attempt is made of.
pub(super) struct Spare<S, Req, R> {
    pub(super) request: Req,
    pub(super) service: S,
    pub(super) repeat: R,
    pub(super) budget: Budget,
    pub(super) delay: Duration,
    pub(super) left: u32,
}

/// An outcome that is not good, in case that there is no better one.
struct Kept<Res, E> {
    outcome: Result<Res, E>,
    rank: u8,
}

/// What an attempt came to.
enum Judged<Res, E> {
    Good(Result<Res, E>),
    Bad(Kept<Res, E>),
}

fn judge<Res, E>(
    classify: &impl Classify<Res, E>,
    outcome: Result<Res, E>,
    is_first: bool,
) -> Judged<Res, E> {
    let seen = classify.classify(outcome.as_ref());
    if seen.verdict == Verdict::Success {
        return Judged::Good(outcome);
    }
    // What the callee said goes before what a layer refused, and the first attempt before its helpers.
    let rank = 2 * u8::from(!seen.hint.refused) + u8::from(is_first);
    Judged::Bad(Kept { outcome, rank })
}

impl<S: Service<Req>, Req, R, C> ResponseFuture<S, Req, R, C> {
    #[inline]
    pub(super) const fn new(
        first: S::Future,
        spare: Option<Spare<S, Req, R>>,
        track: Track,
        deposit: Deposit,
        classify: C,
    ) -> Self {
        Self {
            first: Some(first),
            second: Oneshot::Nothing,
            second_withdrawal: None,
            more: Vec::new(),
            timer: None,
            spare,
            kept: None,
            track,
            deposit: Some(deposit),
            classify,
        }
    }
}

impl<S, Req, R, C> Future for ResponseFuture<S, Req, R, C>
where
    S: Service<Req> + Clone,
    R: Repeat<Req>,
    C: Classify<S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(self.as_mut().poll_attempts(cx));
        self.end();
        Poll::Ready(outcome)
    }
}

impl<S: Service<Req>, Req, R, C> ResponseFuture<S, Req, R, C> {
    /// Drops the attempts that lost, and what the call holds of its budget: the future may be kept after its end.
    fn end(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.first.set(None);
        this.second.cancel();
        this.more.clear();
        *this.second_withdrawal = None;
        *this.deposit = None;
        *this.spare = None;
    }
}

impl<S, Req, R, C> ResponseFuture<S, Req, R, C>
where
    S: Service<Req> + Clone,
    R: Repeat<Req>,
    C: Classify<S::Response, S::Error>,
{
    fn poll_attempts(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
        let mut this = self.project();
        if let Some(first) = this.first.as_mut().as_pin_mut()
            && let Poll::Ready(outcome) = first.poll(cx)
        {
            this.first.set(None);
            match judge(this.classify, outcome, true) {
                Judged::Good(outcome) => {
                    this.track.observe();
                    if let Some(deposit) = this.deposit.take() {
                        deposit.succeeded();
                    }
                    return Poll::Ready(outcome);
                }
                Judged::Bad(kept) => {
                    this.track.forget();
                    // A failure is for retries. Helpers that are under way go on; one for which the service has not
                    // become ready is not, and perhaps never will be.
                    *this.spare = None;
                    if this.second.is_readying() {
                        this.second.as_mut().cancel();
                        *this.second_withdrawal = None;
                    }
                    this.more.retain(|(helper, _)| !helper.is_readying());
                    keep(this.kept, kept);
                }
            }
        }
        loop {
            let mut won = None;
            if !this.second.is_nothing()
                && let Poll::Ready(outcome) = this.second.as_mut().poll(cx)
            {
                this.second.as_mut().cancel();
                let withdrawal = this.second_withdrawal.take();
                match judge(this.classify, outcome, false) {
                    Judged::Good(outcome) => won = Some((outcome, withdrawal)),
                    Judged::Bad(kept) => {
                        *this.spare = None;
                        keep(this.kept, kept);
                    }
                }
            }
            let mut index = 0;
            while won.is_none() && index < this.more.len() {
                let Poll::Ready(outcome) = this.more[index].0.as_mut().poll(cx) else {
                    index += 1;
                    continue;
                };
                let (_, withdrawal) = this.more.swap_remove(index);
                match judge(this.classify, outcome, false) {
                    Judged::Good(outcome) => won = Some((outcome, withdrawal)),
                    Judged::Bad(kept) => {
                        *this.spare = None;
                        keep(this.kept, kept);
                    }
                }
            }
            if let Some((outcome, withdrawal)) = won {
                if let Some(withdrawal) = withdrawal {
                    withdrawal.succeeded();
                }
                this.track.won();
                // Of a first attempt that is cut off it is known that it takes longer than this.
                this.track.observe();
                return Poll::Ready(outcome);
            }
            if this.first.is_none() && this.second.is_nothing() && this.more.is_empty() {
                let kept = this.kept.take();
                let kept = kept.expect("the last attempt that ended was kept");
                return Poll::Ready(kept.outcome);
            }

            let Some(spare) = this.spare else {
                return Poll::Pending;
            };
            match this.timer.as_mut().as_pin_mut() {
                Some(timer) => ready!(poll_timer(timer, cx)),
                None => {
                    this.timer.set(Some(sleep(spare.delay)));
                    continue;
                }
            }
            this.timer.set(None);
            let Some(withdrawal) = spare.budget.try_withdraw() else {
                // The first attempt goes on as if nothing had been asked.
                this.track.refused();
                *this.spare = None;
                return Poll::Pending;
            };
            let Some(next) = spare.next() else {
                *this.spare = None;
                return Poll::Pending;
            };
            this.track.hedged();
            if this.second.is_nothing() {
                this.second.set(next);
                *this.second_withdrawal = Some(withdrawal);
            } else {
                this.more.push((Box::pin(next), Some(withdrawal)));
            }
            if spare.left == 0 {
                *this.spare = None;
            }
        }
    }
}

fn keep<Res, E>(present: &mut Option<Kept<Res, E>>, new: Kept<Res, E>) {
    if present
        .as_ref()
        .is_none_or(|present| new.rank > present.rank)
    {
        *present = Some(new);
    }
}

impl<S, Req, R> Spare<S, Req, R>
where
    S: Service<Req> + Clone,
    R: Repeat<Req>,
{
    /// The next attempt.
    fn next(&mut self) -> Option<Oneshot<S, Req>> {
        self.left = self.left.saturating_sub(1);
        self.repeat.count(&mut self.request);
        let request = self.repeat.copy(&self.request)?;
        Some(Oneshot::new(self.service.clone(), request))
    }
}

impl<S: Service<Req>, Req, R, C> fmt::Debug for ResponseFuture<S, Req, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("track", &self.track)
            .finish_non_exhaustive()
    }
}
