//! A panic becomes an answer.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::problem::{Code, Problem};

pin_project! {
    /// Runs a future and turns its panic into a [`Problem`].
    #[derive(Debug)]
    pub(super) struct CatchPanic<F> {
        #[pin]
        future: F,
    }
}

impl<F> CatchPanic<F> {
    pub(super) const fn new(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, Problem>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        // The future is not polled again after a panic and is dropped with its request, so no broken
        // state of it can be seen. What it shares with other requests is the handler's own concern, as
        // it is when a thread panics.
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => {
                let message = message(payload.as_ref()).to_owned();
                Poll::Ready(Err(Problem::new(Code::Internal)
                    .with_log_detail(format!("the handler panicked: {message}"))))
            }
        }
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_internal_problem_that_hides_its_message() {
        let problem = CatchPanic::new(async { panic!("secret {}", 7) })
            .await
            .map(|(): ()| ())
            .unwrap_err();
        assert_eq!(problem.code(), Code::Internal);
        assert_eq!(problem.detail(), None);
        assert_eq!(problem.log_detail(), Some("the handler panicked: secret 7"));
    }

    #[tokio::test]
    async fn without_a_panic_nothing_changes() {
        assert_eq!(CatchPanic::new(async { 7 }).await.unwrap(), 7);
    }
}
