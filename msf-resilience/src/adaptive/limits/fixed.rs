//! A limit that does not adapt.

use super::{
    Limit, Window,
    bounds::{Bounds, InvalidLimit},
};

/// The same limit whatever happens.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::adaptive::{Fixed, Limit, Window};
///
/// let mut limit = Fixed::new(8);
/// assert_eq!(limit.update(&Window::new(Duration::from_secs(60), 8).drops(1)), 8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed(u32);

impl Fixed {
    /// So many calls at once, 1 to 1 000 000.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        Self(limit)
    }
}

impl Limit for Fixed {
    fn limit(&self) -> u32 {
        self.0
    }

    fn update(&mut self, _window: &Window) -> u32 {
        self.0
    }

    fn restart(&mut self, limit: u32) {
        self.0 = limit;
    }

    fn check(&self) -> Result<(), InvalidLimit> {
        let (min, max) = (1, 1_000_000);
        let initial = self.0;
        Bounds { min, initial, max }.check()
    }
}
