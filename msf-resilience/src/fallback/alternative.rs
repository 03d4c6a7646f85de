//! Where the other answer comes from.

use std::{
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::oneshot::Oneshot;

/// A source of other answers. Implemented by the sources of this module only.
pub trait Alternative<Req, Res, E>: sealed::Sealed {
    /// What is kept of the request while the service inside works on it.
    type Kept;
    /// Finds the other answer.
    type Future: Future<Output = Result<Res, E>>;

    /// Keeps what another answer needs; `None` for a request that has no other answer.
    fn keep(&self, request: &Req) -> Option<Self::Kept>;

    /// Begins another answer, in place of an outcome. The outcome comes back if it is still of use when this one fails.
    fn begin(
        self,
        kept: Self::Kept,
        outcome: Result<Res, E>,
    ) -> (Self::Future, Option<Result<Res, E>>);
}

/// Another answer by a closure that is given the outcome and may give it back.
///
/// ```
/// use std::io;
/// use msf_resilience::fallback;
///
/// let source = fallback::with(|outcome: Result<u32, io::Error>| outcome.or(Ok(0)));
/// # let _ = source;
/// ```
pub const fn with<F>(answer: F) -> With<F> {
    With(answer)
}

/// The same answer for everybody. Each call counts a reference to it; [`with`] a closure that captures nothing does not.
pub fn value<T>(answer: T) -> Value<T> {
    Value(Arc::new(answer))
}

/// Another service, asked with what `copy` makes of the request before the service inside gets it.
///
/// A request for which `copy` gives `None` has no other answer. Copying costs every call; a service of GETs
/// copies little. The backup is cloned for a call, and made ready only when it is needed.
pub const fn service<B, F>(service: B, copy: F) -> Backup<B, F> {
    Backup { service, copy }
}

mod sealed {
    pub trait Sealed {}
}

/// Another answer by a closure that is given the outcome.
#[derive(Clone, Debug)]
pub struct With<F>(pub(super) F);

/// The same answer for everybody.
#[derive(Debug)]
pub struct Value<T>(pub(super) Arc<T>);

/// Another service, asked with a request that a closure makes.
#[derive(Clone, Debug)]
pub struct Backup<B, F> {
    pub(super) service: B,
    pub(super) copy: F,
}

pin_project! {
    /// Future of [`Backup`].
    #[must_use = "futures do nothing unless polled"]
    pub struct BackupFuture<B, Req>
    where
        B: Service<Req>,
    {
        #[pin]
        call: Oneshot<B, Req>,
    }
}

impl<F> sealed::Sealed for With<F> {}
impl<T> sealed::Sealed for Value<T> {}
impl<B, F> sealed::Sealed for Backup<B, F> {}

impl<T> Clone for Value<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Req, Res, E, F> Alternative<Req, Res, E> for With<F>
where
    F: FnOnce(Result<Res, E>) -> Result<Res, E>,
{
    type Kept = ();
    type Future = Ready<Result<Res, E>>;

    fn keep(&self, _request: &Req) -> Option<()> {
        Some(())
    }

    fn begin(self, (): (), outcome: Result<Res, E>) -> (Self::Future, Option<Result<Res, E>>) {
        (ready((self.0)(outcome)), None)
    }
}

impl<Req, Res: Clone, E> Alternative<Req, Res, E> for Value<Res> {
    type Kept = ();
    type Future = Ready<Result<Res, E>>;

    fn keep(&self, _request: &Req) -> Option<()> {
        Some(())
    }

    fn begin(self, (): (), _outcome: Result<Res, E>) -> (Self::Future, Option<Result<Res, E>>) {
        (ready(Ok(Res::clone(&self.0))), None)
    }
}

impl<Req, Res, E, B, F> Alternative<Req, Res, E> for Backup<B, F>
where
    B: Service<Req, Response = Res, Error = E>,
    F: Fn(&Req) -> Option<Req>,
{
    type Kept = Req;
    type Future = BackupFuture<B, Req>;

    fn keep(&self, request: &Req) -> Option<Req> {
        (self.copy)(request)
    }

    fn begin(self, kept: Req, outcome: Result<Res, E>) -> (Self::Future, Option<Result<Res, E>>) {
        let call = Oneshot::new(self.service, kept);
        (BackupFuture { call }, Some(outcome))
    }
}

impl<B: Service<Req>, Req> Future for BackupFuture<B, Req> {
    type Output = Result<B::Response, B::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().call.poll(cx)
    }
}

impl<B: Service<Req>, Req> fmt::Debug for BackupFuture<B, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupFuture").finish_non_exhaustive()
    }
}
