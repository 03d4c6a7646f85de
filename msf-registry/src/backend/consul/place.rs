//! Where in Consul's history this client is: a plain state machine for its documented rules on the index.
//!
//! An index that goes back means that the servers were restored or set up again: nothing that was known
//! about positions holds. A server without memory has forgotten everybody who did not register again yet, so
//! for a while nobody counts as gone.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Authority, Cursor};

#[derive(Debug)]
pub(super) struct Place {
    epoch: u64,
    /// The highest index of this epoch.
    index_max: u64,
    young_until: Option<Instant>,
    /// When Consul last did not answer.
    failed_at: Option<Instant>,
}

/// How to ask for what comes after a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// At once, for everything: the position is none of this epoch.
    Now,
    /// At once, then wait if nothing has changed: a server that was set up again would wait for its index to
    /// reach ours.
    NowThenWait,
    /// At once, then wait for a moment: nothing tells when its youth ends.
    NowThenBriefly,
    /// Until something changes.
    Wait,
}

impl Place {
    pub(super) const fn new(epoch: u64) -> Self {
        Self {
            epoch,
            index_max: 0,
            young_until: None,
            failed_at: None,
        }
    }

    pub(super) fn ask(&mut self, after: Cursor, new_epoch: u64, now: Instant) -> Ask {
        self.grow_up(new_epoch, now);
        if after.epoch() != self.epoch || after.revision() > self.index_max {
            return Ask::Now;
        }
        let has_failed = self
            .failed_at
            .is_some_and(|at| now.saturating_duration_since(at) < DISTRUST);
        if self.young_until.is_some() {
            Ask::NowThenBriefly
        } else if has_failed {
            Ask::NowThenWait
        } else {
            Ask::Wait
        }
    }

    /// The end of its youth is a change that Consul's index does not show: the lists of before count as those
    /// of another epoch.
    fn grow_up(&mut self, new_epoch: u64, now: Instant) {
        if self.young_until.take_if(|until| *until <= now).is_some() {
            self.epoch = new_epoch;
        }
    }

    /// Consul did not answer, so it may be another one when it does again.
    pub(super) const fn failed(&mut self, now: Instant) {
        self.failed_at = Some(now);
    }

    /// Takes in the index of an answer to what came after a position; gives the position and authority of
    /// its list.
    pub(super) fn take(
        &mut self,
        index: u64,
        after: Option<Cursor>,
        new_epoch: u64,
        now: Instant,
    ) -> (Cursor, Authority) {
        self.grow_up(new_epoch, now);
        let is_back = after.is_some_and(|after| {
            after.epoch() == self.epoch
                && after.revision() <= self.index_max
                && index < after.revision()
        });
        if is_back {
            self.epoch = new_epoch;
            self.index_max = 0;
            self.young_until = now.checked_add(YOUTH);
        }
        self.index_max = self.index_max.max(index);
        let authority = if self.young_until.is_some() {
            Authority::Partial
        } else {
            // Whoever is silent stays listed, as unhealthy; who is not listed has left.
            Authority::Explicit
        };
        (Cursor::new(self.epoch, index), authority)
    }
}

/// Twice the usual time to live: by then, everybody who lives has registered again.
const YOUTH: Duration = Duration::from_secs(30);
/// Longer than any question waits.
const DISTRUST: Duration = Duration::from_secs(90);

#[cfg(test)]
mod tests {
    use msf_core::clock;

    use super::*;

    #[test]
    fn an_index_that_goes_back_begins_a_new_epoch_that_is_young() {
        let (mut place, now) = (Place::new(1), clock::now());
        let (first, authority) = place.take(50, None, 9, now);
        assert_eq!(
            (first, authority),
            (Cursor::new(1, 50), Authority::Explicit)
        );
        assert_eq!(place.ask(first, 9, now), Ask::Wait);
        let (young, authority) = place.take(12, Some(first), 2, now);
        assert_eq!((young.revision(), authority), (12, Authority::Partial));
        assert_ne!(young.epoch(), first.epoch());
        assert_eq!(place.ask(first, 9, now), Ask::Now, "a position of before");
        assert_eq!(place.ask(young, 9, now), Ask::NowThenBriefly);
    }

    #[test]
    fn the_end_of_its_youth_is_a_change() {
        let (mut place, now) = (Place::new(1), clock::now());
        let (first, _) = place.take(50, None, 9, now);
        let (young, _) = place.take(12, Some(first), 2, now);
        let grown = now + YOUTH;
        assert_eq!(place.ask(young, 4, grown), Ask::Now);
        let (now_grown, authority) = place.take(12, Some(young), 5, grown);
        assert_eq!(
            (now_grown, authority),
            (Cursor::new(4, 12), Authority::Explicit)
        );
        assert_eq!(place.ask(now_grown, 6, grown), Ask::Wait);
    }

    #[test]
    fn two_watches_see_one_setback_once() {
        let (mut place, now) = (Place::new(1), clock::now());
        let (a, _) = place.take(50, None, 9, now);
        let (b, _) = place.take(60, None, 9, now);
        let (a, _) = place.take(12, Some(a), 2, now);
        let (b, _) = place.take(12, Some(b), 7, now);
        assert_eq!(a, b);
    }

    #[test]
    fn the_index_of_a_service_may_be_lower_than_that_of_another() {
        let (mut place, now) = (Place::new(1), clock::now());
        place.take(50, None, 9, now);
        let (quiet, authority) = place.take(20, None, 9, now);
        assert_eq!(
            (quiet, authority),
            (Cursor::new(1, 20), Authority::Explicit)
        );
        assert_eq!(place.ask(quiet, 9, now), Ask::Wait);
    }

    #[test]
    fn a_position_from_the_future_is_not_waited_for() {
        let (mut place, now) = (Place::new(1), clock::now());
        place.take(50, None, 9, now);
        assert_eq!(place.ask(Cursor::new(1, 51), 9, now), Ask::Now);
        assert_eq!(place.ask(Cursor::new(0, 0), 9, now), Ask::Now);
    }

    #[test]
    fn after_a_failure_it_is_asked_at_once_for_a_while() {
        let (mut place, now) = (Place::new(1), clock::now());
        let (at, _) = place.take(50, None, 9, now);
        place.failed(now);
        assert_eq!(place.ask(at, 9, now), Ask::NowThenWait);
        assert_eq!(place.ask(at, 9, now + DISTRUST), Ask::Wait);
    }
}
