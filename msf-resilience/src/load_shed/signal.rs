//! What says that there is too much.

use crate::{adaptive::AdaptiveLimit, bulkhead::Bulkhead};

/// How loaded something is.
///
/// ```
/// use msf_resilience::{bulkhead::Bulkhead, load_shed::Signal};
///
/// let bulkhead = Bulkhead::builder("reports").max_concurrent(4).build()?;
/// let _taken = bulkhead.try_acquire()?;
/// assert_eq!(bulkhead.load(), 0.25);
///
/// let open_files = || 900.0 / 1024.0;
/// assert!(open_files.load() < 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how loaded it is",
    note = "a `Bulkhead`, an `AdaptiveLimit` or a closure `Fn() -> f64` does"
)]
pub trait Signal: Send + Sync + 'static {
    /// The load now: 0 for idle, 1 when there is no more room, more when work queues up.
    ///
    /// It is asked once per window, by a call that waits for the answer, so it must not block.
    fn load(&self) -> f64;
}

impl<F: Fn() -> f64 + Send + Sync + 'static> Signal for F {
    fn load(&self) -> f64 {
        self()
    }
}

impl Signal for Bulkhead {
    fn load(&self) -> f64 {
        let now = self.snapshot();
        (f64::from(now.in_flight()) + f64::from(now.queued())) / f64::from(now.limit())
    }
}

impl Signal for AdaptiveLimit {
    fn load(&self) -> f64 {
        let now = self.snapshot();
        f64::from(now.in_flight()) / f64::from(now.limit())
    }
}
