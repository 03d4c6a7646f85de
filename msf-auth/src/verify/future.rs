//! The outcome of a verification, which nearly always is there at once.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{Verifier, VerifyError};
use crate::principal::Principal;

/// The future of [`Verifier::verify`].
///
/// It holds no lock and borrows nothing. Dropping it while it waits for keys leaves the fetch to others.
#[must_use = "a token that is not waited for is not verified"]
pub struct Verify(State);

enum State {
    Ready(Option<Result<Arc<Principal>, VerifyError>>),
    /// Boxed, since an unknown key is rare and bounded in number.
    Waiting(Box<Waiting>),
    /// Somebody else says who the caller is.
    Elsewhere(Elsewhere),
}

type Elsewhere = Pin<Box<dyn Future<Output = Result<Arc<Principal>, VerifyError>> + Send>>;

struct Waiting {
    refresh: Refresh,
    verifier: Verifier,
    token: String,
}

/// Ends when the keys have been fetched, or when waiting for them takes too long.
pub(crate) type Refresh = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Verify {
    pub(super) const fn ready(outcome: Result<Arc<Principal>, VerifyError>) -> Self {
        Self(State::Ready(Some(outcome)))
    }

    /// Credentials that are no token, such as API keys.
    pub(crate) fn elsewhere(
        verify: impl Future<Output = Result<Arc<Principal>, VerifyError>> + Send + 'static,
    ) -> Self {
        Self(State::Elsewhere(Box::pin(verify)))
    }

    pub(super) fn after(refresh: Refresh, verifier: Verifier, token: String) -> Self {
        Self(State::Waiting(Box::new(Waiting {
            refresh,
            verifier,
            token,
        })))
    }
}

impl Future for Verify {
    type Output = Result<Arc<Principal>, VerifyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(outcome) => Poll::Ready(
                outcome
                    .take()
                    .expect("a future is not polled after it is ready"),
            ),
            State::Elsewhere(verify) => verify.as_mut().poll(cx),
            State::Waiting(waiting) => {
                ready!(waiting.refresh.as_mut().poll(cx));
                let outcome = waiting.verifier.verify_again(&waiting.token);
                self.0 = State::Ready(None);
                Poll::Ready(outcome)
            }
        }
    }
}

/// Without the token.
impl fmt::Debug for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_waiting = matches!(self.0, State::Waiting(_) | State::Elsewhere(_));
        f.debug_struct("Verify")
            .field("is_waiting", &is_waiting)
            .finish_non_exhaustive()
    }
}
