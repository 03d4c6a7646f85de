//! Wall time that does not go back.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use msf_core::clock::{self, WallClock};
use tokio::time::Instant;

use super::policy::millis;

/// Milliseconds since 1970, never fewer than before and never slower than the monotonic clock: setting the wall clock
/// back makes no token last longer while the process runs.
#[derive(Debug)]
pub(super) struct ForwardClock {
    wall: WallClock,
    start: Instant,
    /// The latest wall time that was seen, as what it would have been at the start.
    start_ms: AtomicU64,
}

impl ForwardClock {
    pub(super) fn new(wall: WallClock) -> Self {
        Self {
            wall,
            start: clock::now(),
            start_ms: AtomicU64::new(since_1970(wall)),
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        let elapsed_ms = millis(clock::now().saturating_duration_since(self.start));
        let start_ms = since_1970(self.wall).saturating_sub(elapsed_ms);
        // The value stands alone: no other memory is published with it.
        let latest_ms = self.start_ms.fetch_max(start_ms, Ordering::Relaxed);
        latest_ms.max(start_ms).saturating_add(elapsed_ms)
    }

    /// What the wall clock says, also when it went back: for what cannot be undone.
    pub(super) fn wall_ms(&self) -> u64 {
        since_1970(self.wall)
    }

    #[cfg(test)]
    pub(super) fn set(&mut self, wall: WallClock) {
        self.wall = wall;
    }
}

fn since_1970(wall: WallClock) -> u64 {
    let since = wall.now().duration_since(SystemTime::UNIX_EPOCH);
    millis(since.unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use tokio::time;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_follows_the_wall_forward_and_not_back() {
        let at = |ms| WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_millis(ms));
        let mut clock = ForwardClock::new(at(10_000));
        assert_eq!(clock.now_ms(), 10_000);
        time::advance(Duration::from_millis(7)).await;
        assert_eq!(clock.now_ms(), 10_007);
        clock.wall = at(4_000);
        assert_eq!(clock.now_ms(), 10_007);
        time::advance(Duration::from_millis(500)).await;
        assert_eq!(clock.now_ms(), 10_507);
        clock.wall = at(20_000);
        assert_eq!(clock.now_ms(), 20_000);
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_go_back_before_it_was_asked_either() {
        let at = |ms| WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_millis(ms));
        let mut clock = ForwardClock::new(at(10_000));
        clock.wall = at(4_000);
        assert_eq!(clock.now_ms(), 10_000);
    }
}
