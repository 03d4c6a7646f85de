//! The response future.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::{
    alternative::Alternative,
    decide::{Cause, Decide},
    handle::Shared,
    mark::{FellBack, Mark},
};
use crate::late::Late;

pin_project! {
    /// Future of [`FallbackService`](super::FallbackService).
    ///
    /// Dropped, it drops the call that is under way, the service's or the other; another answer is counted when it is begun.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, A, D, M, Req, Res, E>
    where
        A: Alternative<Req, Res, E>,
    {
        #[pin]
        stage: Stage<F, A, Req, Res, E>,
        late: Late<Shared>,
        decide: D,
        mark: M,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F, A, Req, Res, E>
    where
        A: Alternative<Req, Res, E>,
    {
        First {
            #[pin]
            call: F,
            alternative: Option<(A, A::Kept)>,
        },
        Other {
            #[pin]
            call: A::Future,
            first: Option<Result<Res, E>>,
            cause: Cause,
            // Found once: it may be gone before the other answer is there.
            shared: Option<Arc<Shared>>,
        },
    }
}

impl<F, A, D, M, Req, Res, E> ResponseFuture<F, A, D, M, Req, Res, E>
where
    A: Alternative<Req, Res, E>,
{
    #[inline]
    pub(super) const fn new(
        call: F,
        alternative: Option<(A, A::Kept)>,
        late: Late<Shared>,
        decide: D,
        mark: M,
    ) -> Self {
        Self {
            stage: Stage::First { call, alternative },
            late,
            decide,
            mark,
        }
    }
}

impl<F, A, D, M, Req, Res, E> Future for ResponseFuture<F, A, D, M, Req, Res, E>
where
    F: Future<Output = Result<Res, E>>,
    A: Alternative<Req, Res, E>,
    D: Decide<Res, E>,
    M: Mark<Res>,
{
    type Output = Result<Res, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let (other, first, cause, shared) = match this.stage.as_mut().project() {
                StageProjection::First { call, alternative } => {
                    let outcome = ready!(call.poll(cx));
                    let Some(cause) = this.decide.cause(outcome.as_ref()) else {
                        return Poll::Ready(outcome);
                    };
                    let Some((alternative, kept)) = alternative.take() else {
                        return Poll::Ready(outcome);
                    };
                    let (call, first) = alternative.begin(kept, outcome);
                    let shared = this.late.find();
                    if let Some(shared) = &shared {
                        shared.count(cause);
                    }
                    (call, first, cause, shared)
                }
                StageProjection::Other {
                    call,
                    first,
                    cause,
                    shared,
                } => {
                    let outcome = ready!(call.poll(cx));
                    if outcome.is_err() || this.decide.cause(outcome.as_ref()).is_some() {
                        if let Some(shared) = shared {
                            shared.count_failed();
                        }
                        // Both failed: the caller is told what was wrong first.
                        return Poll::Ready(first.take().unwrap_or(outcome));
                    }
                    return Poll::Ready(outcome.map(|mut response| {
                        // Seen without its name is better than not seen.
                        let name = shared.as_ref().map(|shared| Arc::clone(shared.name()));
                        let name = name.unwrap_or_else(|| Arc::from("unknown"));
                        this.mark.mark(&mut response, FellBack::new(name, *cause));
                        response
                    }));
                }
            };
            this.stage.set(Stage::Other {
                call: other,
                first,
                cause,
                shared,
            });
        }
    }
}

impl<F, A, D, M, Req, Res, E> fmt::Debug for ResponseFuture<F, A, D, M, Req, Res, E>
where
    A: Alternative<Req, Res, E>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
