//! Background tasks that have a name and an owner.
//!
//! A bare `tokio::spawn` outlives whoever started it and dies without a word. [`spawn`] gives the task
//! a name for the log and an owner: dropping the [`Task`] stops it.
//!
//! ```
//! use msf_core::task;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let task = task::spawn("answer", async { 42 });
//! assert_eq!(task.join().await, Some(42));
//! # }
//! ```
//!
//! # Cancel safety
//!
//! [`Task::join`] stops the task when it is dropped. A stopped task is dropped at its next await.

use std::future::Future;

use tokio::task::{JoinError, JoinHandle};
use tracing::{Instrument, Span};

/// A running task; dropping it stops the task.
#[derive(Debug)]
#[must_use = "dropping a Task stops it; keep it, join it, or let it go with `detach`"]
pub struct Task<T> {
    name: &'static str,
    handle: Option<JoinHandle<T>>,
    outcome: Option<Result<T, JoinError>>,
}

/// Starts a named task on the current runtime.
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn spawn<F>(name: &'static str, future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let span = tracing::debug_span!(target: "msf_core::task", "task", task = name);
    start(name, future, span)
}

/// Starts a named task that outlives whoever starts it, such as a pooled connection.
///
/// Its span has no parent: the span of a request is not held open by what the request happened to
/// start.
///
/// ```
/// use msf_core::task;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let task = task::spawn_root("connection", async { 42 });
/// assert_eq!(task.join().await, Some(42));
/// # }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn spawn_root<F>(name: &'static str, future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let span = tracing::debug_span!(target: "msf_core::task", parent: None, "task", task = name);
    start(name, future, span)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that spawns"
)]
fn start<F>(name: &'static str, future: F, span: Span) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Task {
        name,
        handle: Some(tokio::spawn(future.instrument(span))),
        outcome: None,
    }
}

impl<T> Task<T> {
    /// The name that it was given.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Lets the task run to its end without an owner.
    pub fn detach(mut self) {
        self.handle = None;
    }

    /// Waits for the end; `None` when the task panicked, which is logged.
    pub async fn join(mut self) -> Option<T> {
        self.finished().await;
        self.outcome
            .take()?
            .inspect_err(|error| tracing::error!(task = self.name, %error, "task failed"))
            .ok()
    }

    /// Waits for the end and leaves the outcome to [`join`](Self::join).
    ///
    /// Cancel safe: dropping the future changes nothing.
    pub async fn finished(&mut self) {
        if let Some(handle) = &mut self.handle {
            self.outcome = Some(handle.await);
            self.handle = None;
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn dropping_the_owner_stops_the_task() {
        let alive = Arc::new(());
        let held = alive.clone();
        let task = spawn("held", async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        drop(task);
        while Arc::strong_count(&alive) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn dropping_a_join_stops_the_task() {
        let alive = Arc::new(());
        let held = alive.clone();
        let task = spawn("held", async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        let mut join = tokio_test::task::spawn(task.join());
        assert!(join.poll().is_pending());
        drop(join);
        while Arc::strong_count(&alive) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_detached_task_goes_on() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        spawn("detached", async move { sender.send(7) }).detach();
        assert_eq!(receiver.await, Ok(7));
    }

    #[tokio::test]
    async fn a_panic_is_none() {
        let task = spawn("boom", async { panic!("on purpose") });
        assert_eq!(task.join().await, None::<()>);
    }
}
