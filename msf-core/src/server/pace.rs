//! How fast a request's body comes: the decision, without the socket.

use std::time::Duration;

use tokio::time::Instant;

use super::Limits;

/// What one body owes, and what it has paid.
///
/// Only the time in which somebody waits for the client counts: a handler, or a service behind a gateway, that reads
/// slowly is not the client's doing. That time is cut into windows; each has to bring its bytes. A body that comes
/// fast and then drips is therefore found as soon as one that drips from the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Between two pieces.
    pause_max: Duration,
    window: Duration,
    /// Per window; 0 if there is no least rate.
    bytes_min: u64,
    waited: Duration,
    bytes: u64,
    waits_since: Option<Instant>,
}

impl Pace {
    pub(super) fn new(limits: &Limits, has_rate: bool) -> Self {
        let window = limits.body_rate_window;
        let per_second = if has_rate { limits.body_rate_min } else { 0 };
        let bytes = u128::from(per_second) * window.as_millis() / 1_000;
        Self {
            pause_max: limits.body_timeout,
            window,
            bytes_min: u64::try_from(bytes).unwrap_or(u64::MAX),
            waited: Duration::ZERO,
            bytes: 0,
            waits_since: None,
        }
    }

    /// Whether somebody waits for the client.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waits_since.is_some()
    }

    /// Somebody waits for the client from now on; says until when.
    pub(super) fn wait(&mut self, now: Instant) -> Instant {
        self.waits_since = Some(now);
        let left = if self.bytes < self.bytes_min {
            self.pause_max.min(self.window.saturating_sub(self.waited))
        } else {
            self.pause_max
        };
        now + left
    }

    /// A piece has come. `now` is only asked for if somebody waited for it.
    pub(super) fn came(&mut self, bytes: usize, now: impl FnOnce() -> Instant) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if let Some(since) = self.waits_since.take() {
            self.waited += now().saturating_duration_since(since);
        }
        // The last window may have been overrun only by a body that had brought enough.
        if self.waited >= self.window {
            self.waited = Duration::ZERO;
            self.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pace(per_second: u32, window_s: u64, pause_s: u64) -> Pace {
        let limits = Limits::default()
            .body_rate_min(per_second)
            .body_rate_window(Duration::from_secs(window_s))
            .body_timeout(Duration::from_secs(pause_s));
        Pace::new(&limits, true)
    }

    /// Waits so many seconds for each piece; says after how many in all the body was given up.
    fn drip(mut pace: Pace, pieces: impl IntoIterator<Item = (u64, usize)>) -> Option<u64> {
        let start = Instant::now();
        let mut now = start;
        for (wait_s, bytes) in pieces {
            let until = pace.wait(now);
            let comes = now + Duration::from_secs(wait_s);
            if comes > until {
                return Some((until - start).as_secs());
            }
            now = comes;
            pace.came(bytes, || now);
        }
        None
    }

    #[test]
    fn a_body_that_drips_is_given_up_at_the_end_of_its_window() {
        assert_eq!(drip(pace(100, 10, 30), [(3, 1); 100]), Some(10));
        assert_eq!(drip(pace(100, 10, 30), [(1, 101); 100]), None);
    }

    #[test]
    fn haste_at_the_beginning_buys_no_slowness() {
        let pieces = std::iter::once((1, 1 << 20)).chain([(3, 1); 100]);
        // The first window ends after 10 s with more than enough; the second brings 10 bytes.
        assert_eq!(drip(pace(100, 10, 30), pieces), Some(20));
    }

    #[test]
    fn a_pause_has_a_limit_of_its_own() {
        assert_eq!(drip(pace(1, 60, 5), [(6, 1_000)]), Some(5));
        let enough = [(1, 1_000_000), (6, 1)];
        assert_eq!(drip(pace(1, 60, 5), enough), Some(6));
    }

    #[test]
    fn without_a_rate_only_pauses_count() {
        assert_eq!(drip(pace(0, 10, 30), [(29, 1); 1_000]), None);
        let limits = Limits::default().body_rate_min(1_000);
        assert_eq!(drip(Pace::new(&limits, false), [(29, 1); 1_000]), None);
    }

    #[test]
    fn who_is_not_waited_for_owes_nothing() {
        let mut pace = pace(100, 10, 30);
        let now = Instant::now();
        // The reader takes an hour between pieces that are there already.
        for _ in 0..100 {
            pace.came(1, || unreachable!("nobody waited"));
        }
        assert_eq!(pace.wait(now), now + Duration::from_secs(10));
    }

    proptest! {
        /// A body that brings its bytes in every second is never given up, however they are cut.
        #[test]
        fn an_honest_body_passes(cuts in proptest::collection::vec(1_usize..50, 1..200)) {
            let pieces = cuts.into_iter().map(|more| (1, 100 + more));
            prop_assert_eq!(drip(pace(100, 10, 30), pieces), None);
        }

        /// No body holds the server longer than its bytes pay for, one window and one pause beyond.
        #[test]
        fn time_is_paid_for(pieces in proptest::collection::vec((0_u64..9, 0_usize..2_000), 1..300)) {
            let mut pace = pace(100, 10, 8);
            let mut now = Instant::now();
            let (mut waited, mut bytes) = (0, 0);
            for (wait_s, piece) in pieces {
                let until = pace.wait(now);
                if now + Duration::from_secs(wait_s) >= until {
                    break;
                }
                now += Duration::from_secs(wait_s);
                waited += wait_s;
                bytes += piece as u64;
                pace.came(piece, || now);
                // Each full window of 10 s, which a pause may stretch by 8, has brought 1 000 bytes.
                prop_assert!(waited <= (bytes / 1_000 + 1) * 18, "{waited} s for {bytes} bytes");
            }
        }
    }
}
