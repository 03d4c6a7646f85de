//! A service that notices when it is called without being ready.

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use tower_service::Service;

/// A service whose clones are not ready until they are polled, as tower's contract allows.
///
/// Many services keep what `poll_ready` reserved (a permit, a connection) in themselves, and a clone
/// does not have it. A layer that polls one and calls a clone of it works with most services and fails
/// with those. Put this probe under a layer, drive the layer, and assert that
/// [`violations`](Self::violations) is 0; a call without readiness is answered with [`NotReady`].
///
/// ```
/// use msf_core::testing::{NotReady, StatefulInner};
/// use tower::{Service, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let probe = StatefulInner::new(|n: u32| n + 1);
///
/// let mut ready = probe.clone();
/// assert_eq!(ready.ready().await.unwrap().call(1).await, Ok(2));
/// assert_eq!(ready.call(1).await, Err(NotReady)); // readiness is used up
/// assert_eq!(probe.violations(), 1);
/// # }
/// ```
#[derive(Debug)]
pub struct StatefulInner<F> {
    answer: F,
    is_ready: bool,
    counts: Arc<Counts>,
}

/// The service was called without having said that it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("called without being ready")]
#[expect(clippy::exhaustive_structs, reason = "tests compare it")]
pub struct NotReady;

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicUsize,
    violations: AtomicUsize,
}

impl<F> StatefulInner<F> {
    /// A probe that answers with a function.
    pub fn new(answer: F) -> Self {
        Self {
            answer,
            is_ready: false,
            counts: Arc::default(),
        }
    }

    /// Calls so far, over all clones, violations included.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.counts.calls.load(Ordering::Relaxed)
    }

    /// Calls without readiness so far, over all clones.
    #[must_use]
    pub fn violations(&self) -> usize {
        self.counts.violations.load(Ordering::Relaxed)
    }
}

impl<F: Clone> Clone for StatefulInner<F> {
    fn clone(&self) -> Self {
        Self {
            answer: self.answer.clone(),
            // The point of the probe: readiness belongs to the one that was polled.
            is_ready: false,
            counts: self.counts.clone(),
        }
    }
}

impl<F, Req, Res> Service<Req> for StatefulInner<F>
where
    F: Fn(Req) -> Res,
{
    type Response = Res;
    type Error = NotReady;
    type Future = Ready<Result<Res, NotReady>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), NotReady>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        self.counts.calls.fetch_add(1, Ordering::Relaxed);
        if std::mem::take(&mut self.is_ready) {
            ready(Ok((self.answer)(request)))
        } else {
            self.counts.violations.fetch_add(1, Ordering::Relaxed);
            ready(Err(NotReady))
        }
    }
}
