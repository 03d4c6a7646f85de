//! The algorithms: pure values without clock, lock or runtime.

mod aimd;
mod bounds;
mod fixed;
mod gradient2;
mod vegas;

use std::{fmt, time::Duration};

use self::bounds::Bounds;
pub use self::{
    aimd::Aimd, bounds::InvalidLimit, fixed::Fixed, gradient2::Gradient2, vegas::Vegas,
};

/// What the calls of one window came to.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::adaptive::Window;
///
/// let window = Window::new(Duration::from_millis(20), 8).calls(100).drops(5);
/// assert!(!window.is_dropped());
/// assert!(window.drops(6).is_dropped());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Window {
    latency: Duration,
    in_flight: u32,
    calls: u32,
    drops: u32,
}

impl Window {
    /// A window of one call that was no drop: the mean latency, and the most calls that were seen in flight.
    pub const fn new(latency: Duration, in_flight: u32) -> Self {
        Self {
            latency,
            in_flight,
            calls: 1,
            drops: 0,
        }
    }

    /// How many calls ended, drops included.
    pub const fn calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }

    /// How many of them were drops.
    pub const fn drops(mut self, drops: u32) -> Self {
        self.drops = drops;
        self
    }

    /// The mean latency.
    #[must_use]
    pub const fn latency(&self) -> Duration {
        self.latency
    }

    /// The most calls that were seen in flight.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Whether more than one call in twenty was a drop. Single failures happen to every callee.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        u64::from(self.drops) * 20 > u64::from(self.calls)
    }

    /// Whether less than half of the limit was used: such a window says nothing about a higher one.
    #[must_use]
    pub fn is_app_limited(&self, limit: f64) -> bool {
        f64::from(self.in_flight) * 2.0 < limit
    }
}

/// An algorithm that sets a limit of concurrency.
///
/// ```
/// use msf_resilience::adaptive::{AdaptiveLimit, Limit, Window};
///
/// /// As many as it is told, less one while calls are dropped.
/// #[derive(Debug)]
/// struct Careful(u32);
///
/// impl Limit for Careful {
///     fn limit(&self) -> u32 {
///         self.0
///     }
///
///     fn update(&mut self, window: &Window) -> u32 {
///         if window.is_dropped() { self.0.max(2) - 1 } else { self.0 }
///     }
///
///     fn restart(&mut self, limit: u32) {
///         self.0 = limit;
///     }
/// }
///
/// let limit = AdaptiveLimit::builder("search").algorithm(Careful(7)).build()?;
/// assert_eq!(limit.snapshot().limit(), 7);
/// # Ok::<(), msf_resilience::adaptive::InvalidAdaptiveLimit>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an algorithm for a limit of concurrency",
    note = "use `Vegas`, `Gradient2`, `Aimd` or `Fixed` of `msf_resilience::adaptive`, or implement `Limit`"
)]
pub trait Limit: fmt::Debug + Send + 'static {
    /// The limit now, at least 1.
    fn limit(&self) -> u32;

    /// Takes a window of calls and gives the limit from now on, at least 1.
    fn update(&mut self, window: &Window) -> u32;

    /// Goes on from another limit, or from the nearest one that it allows.
    fn restart(&mut self, limit: u32);

    /// Whether its knobs make sense; asked once, when the limit is built.
    ///
    /// # Errors
    ///
    /// [`InvalidLimit`] names the knob.
    fn check(&self) -> Result<(), InvalidLimit> {
        Ok(())
    }
}
