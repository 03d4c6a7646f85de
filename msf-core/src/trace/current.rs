//! The context of the request that is being served right here.

use std::{cell::RefCell, future::Future, mem};

use super::{RequestContext, RequestId, future::Scope};

thread_local! {
    /// Set only while a future or body in a scope is polled, so no other task ever sees it.
    static CURRENT: RefCell<Option<RequestContext>> = const { RefCell::new(None) };
}

/// The context of the request being served; `None` outside of any.
///
/// Set while [`Trace`](super::Trace) polls the inner service's future and the response body, and
/// inside [`scope`] and [`sync_scope`]. A task or thread spawned meanwhile starts without one.
#[must_use]
pub fn current() -> Option<RequestContext> {
    with(|context| context.cloned())?
}

/// The id of the request being served, without a copy of its whole context; `None` outside of any.
///
/// ```
/// use msf_core::trace::{self, RequestContext};
///
/// let context = RequestContext::root();
/// let seen = trace::sync_scope(context.clone(), trace::current_request_id);
/// assert_eq!(seen.as_ref(), Some(context.request_id()));
/// ```
#[must_use]
pub fn current_request_id() -> Option<RequestId> {
    with(|context| context.map(|context| context.request_id().clone()))?
}

/// Makes `context` current while `future` is polled, as a spawned task needs.
///
/// The `tracing` span travels separately: add `.in_current_span()` for the log lines.
///
/// ```
/// use msf_core::trace::{self, RequestContext};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let context = RequestContext::root();
/// let seen = trace::scope(context.clone(), async { trace::current() }).await;
/// assert_eq!(seen.map(|seen| seen.trace_id()), Some(context.trace_id()));
/// assert!(trace::current().is_none());
/// # }
/// ```
pub fn scope<F: Future>(context: RequestContext, future: F) -> Scope<F> {
    Scope::new(context, future)
}

/// Makes `context` current while `f` runs, as a blocking task needs.
///
/// ```
/// use msf_core::trace::{self, RequestContext};
///
/// let context = RequestContext::root();
/// let seen = trace::sync_scope(context.clone(), trace::current);
/// assert_eq!(seen.map(|seen| seen.span_id()), Some(context.span_id()));
/// ```
pub fn sync_scope<T>(context: RequestContext, f: impl FnOnce() -> T) -> T {
    let mut slot = Some(context);
    let _entered = Entered::new(&mut slot);
    f()
}

/// Shows the current context to `f` without a clone; `None` if the thread is ending. `f` must not
/// call foreign code, which could enter a scope while the cell is borrowed.
pub(super) fn with<T>(f: impl FnOnce(Option<&RequestContext>) -> T) -> Option<T> {
    CURRENT
        .try_with(|current| f(current.borrow().as_ref()))
        .ok()
}

/// Puts a context in place and takes it back when dropped, also when a poll panics.
pub(super) struct Entered<'a> {
    slot: &'a mut Option<RequestContext>,
}

impl<'a> Entered<'a> {
    pub(super) fn new(slot: &'a mut Option<RequestContext>) -> Self {
        swap(slot);
        Self { slot }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        swap(self.slot);
    }
}

/// A future may be dropped while its thread ends and the cell is gone; then nobody can ask for the
/// context either, and nothing is lost by leaving it where it is.
fn swap(slot: &mut Option<RequestContext>) {
    let _ = CURRENT.try_with(|current| mem::swap(slot, &mut *current.borrow_mut()));
}
