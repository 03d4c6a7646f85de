//! When leases that ran out are not believed: a plain state machine that is told the time.

use std::time::Duration;

use tokio::time::Instant;

use super::state::later;

/// When a registry keeps listing instances whose leases ran out.
///
/// Instances die one by one; networks fail for all at once. So when too few renewals arrive, the likelier
/// defect is between the registry and the instances, and a registry that expired everybody would take
/// away what still works. It then *preserves*: nobody's lease runs out, until renewals arrive again, until
/// a health check refutes a lease, or until `hold_max` is over; after that, the overdue are let go in
/// portions. However often it begins again, no lease is held for longer than that and the portions after it.
///
/// A renewal is expected after half of the time to live, or after one and a half times the pace at which
/// the instance renewed before, whichever is later. One missing instance never trips it: a service of four
/// would otherwise keep every single one that dies.
///
/// ```
/// use std::time::Duration;
/// use msf_registry::backend::memory::{MemoryRegistry, SelfPreservation};
///
/// let preservation = SelfPreservation::new()
///     .renewals_min_percent(90)?
///     .hold_max(Duration::from_secs(120));
/// let registry = MemoryRegistry::builder().self_preservation(preservation).build();
/// # drop(registry);
/// # Ok::<(), msf_registry::backend::memory::InvalidSelfPreservation>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct SelfPreservation {
    percent: u8,
    instances_min: usize,
    pub(super) hold_max: Duration,
}

/// A share that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("renewals_min_percent must be 1 to 100, and is {0}")]
pub struct InvalidSelfPreservation(u8);

impl Default for SelfPreservation {
    fn default() -> Self {
        Self::new()
    }
}

impl SelfPreservation {
    /// From four instances on, below 85 % of the expected renewals, for at most 10 min.
    pub const fn new() -> Self {
        Self {
            percent: 85,
            instances_min: 4,
            hold_max: Duration::from_secs(600),
        }
    }

    /// None: every lease ends when its time is over.
    pub const fn off() -> Self {
        Self {
            percent: 85,
            instances_min: usize::MAX,
            hold_max: Duration::ZERO,
        }
    }

    /// Which share of the expected renewals is enough for leases to run out, in percent; 85 unless set.
    /// Portions after the hold are the rest of it, 15 % unless set.
    ///
    /// # Errors
    ///
    /// [`InvalidSelfPreservation`] unless it is 1 to 100.
    pub const fn renewals_min_percent(
        mut self,
        percent: u8,
    ) -> Result<Self, InvalidSelfPreservation> {
        if percent == 0 || percent > 100 {
            return Err(InvalidSelfPreservation(percent));
        }
        self.percent = percent;
        Ok(self)
    }

    /// Services with fewer instances are not preserved by themselves; 4 unless set. The registry as a whole is
    /// from ten instances on, when instances of more than one service are missing.
    pub const fn instances_min(mut self, instances: usize) -> Self {
        self.instances_min = instances;
        self
    }

    /// How long it lasts at most; 10 min unless set, long enough for somebody to come, and short enough that a
    /// service that was scaled down by force is not listed for a day.
    pub const fn hold_max(mut self, hold: Duration) -> Self {
        self.hold_max = hold;
        self
    }

    const fn is_off(&self) -> bool {
        self.instances_min == usize::MAX
    }

    /// Whether too few of the expected renewals came.
    const fn is_low(&self, census: Census) -> bool {
        let renewed = (census.listed - census.late) as u128;
        census.late >= 2 && renewed * 100 < census.listed as u128 * self.percent as u128
    }

    /// How many may go at once after the hold.
    fn portion(&self, listed: usize) -> usize {
        (listed * usize::from(100 - self.percent) / 100).max(1)
    }
}

/// How many leases there are, and how they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) listed: usize,
    /// Whose renewal was expected and did not come.
    pub(super) late: usize,
    /// Whose lease ran out.
    pub(super) due: usize,
    /// How many services have somebody who is late.
    pub(super) services_late: usize,
}

/// How many of the due may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    All,
    /// So many now, of a preserved service whose hold is over.
    Portion(usize),
    /// Nobody.
    Hold,
}

/// Where a service, or the registry as a whole, stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hold {
    /// Leases run out.
    #[default]
    Normal,
    /// Nobody's lease runs out.
    Holding { since: Instant },
    /// It lasted too long; a portion goes at each sweep until renewals are normal again.
    Spent { sweep_at: Instant },
}

impl Hold {
    /// What may go of a service whose first due lease ran out at `first_due`.
    pub(super) fn allow(
        &mut self,
        settings: &SelfPreservation,
        census: Census,
        is_global: bool,
        first_due: Instant,
        now: Instant,
    ) -> Allowance {
        let is_own = census.listed >= settings.instances_min && settings.is_low(census);
        if !is_own {
            *self = Self::Normal;
            return if is_global {
                Allowance::Hold
            } else {
                Allowance::All
            };
        }
        if let Self::Normal = self {
            *self = Self::Holding { since: first_due };
        }
        if let Self::Holding { since } = *self {
            let over_at = later(since, settings.hold_max);
            if now < over_at {
                return Allowance::Hold;
            }
            *self = Self::Spent { sweep_at: over_at };
        }
        let mut portion = 0;
        if let Self::Spent { sweep_at } = self {
            // Nobody may have looked for a while; what was due then goes now.
            while *sweep_at <= now && portion < census.due {
                portion += settings.portion(census.listed - portion);
                *sweep_at += SWEEP;
            }
            if *sweep_at <= now {
                *sweep_at = now + SWEEP;
            }
        }
        Allowance::Portion(portion.min(census.due))
    }

    /// Whether the registry as a whole holds.
    pub(super) fn is_global(
        &mut self,
        settings: &SelfPreservation,
        census: Census,
        now: Instant,
    ) -> bool {
        let is_low = !settings.is_off()
            && census.listed >= GLOBAL_MIN
            && census.services_late >= 2
            && settings.is_low(census);
        if !is_low {
            *self = Self::Normal;
            return false;
        }
        if let Self::Normal = self {
            *self = Self::Holding { since: now };
        }
        match *self {
            Self::Holding { since } if now < later(since, settings.hold_max) => true,
            _ => {
                *self = Self::Spent { sweep_at: now };
                false
            }
        }
    }

    pub(super) const fn is_holding(self) -> bool {
        matches!(self, Self::Holding { .. })
    }

    /// Moves it by as long as the process stood still.
    pub(super) fn shift(&mut self, pause: Duration) {
        match self {
            Self::Normal => {}
            Self::Holding { since: moment } | Self::Spent { sweep_at: moment } => *moment += pause,
        }
    }
}

/// How long until a preserved service is looked at again.
pub(super) const SWEEP: Duration = Duration::from_secs(5);

/// Fewer instances say little about the registry's network.
const GLOBAL_MIN: usize = 10;

#[cfg(test)]
mod tests {
    use msf_core::clock;
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn census(listed: usize, late: usize, due: usize) -> Census {
        Census {
            listed,
            late,
            due,
            services_late: 1,
        }
    }

    #[test]
    fn the_table_of_when_too_few_renewals_came() {
        let settings = SelfPreservation::new();
        let now = clock::now();
        for (listed, late, expected) in [
            (3, 3, Allowance::All),
            (4, 1, Allowance::All),
            (4, 2, Allowance::Hold),
            (13, 1, Allowance::All),
            (13, 2, Allowance::Hold),
            (14, 2, Allowance::All),
            (20, 3, Allowance::All),
            (20, 4, Allowance::Hold),
            (100, 15, Allowance::All),
            (100, 16, Allowance::Hold),
            (100, 100, Allowance::Hold),
        ] {
            let allowed =
                Hold::default().allow(&settings, census(listed, late, late), false, now, now);
            assert_eq!(allowed, expected, "{late} of {listed}");
            let off = SelfPreservation::off();
            let allowed = Hold::default().allow(&off, census(listed, late, late), false, now, now);
            assert_eq!(allowed, Allowance::All);
        }
    }

    #[test]
    fn it_ends_when_renewals_come_again_and_when_it_lasted_too_long() {
        let settings = SelfPreservation::new();
        let (mut hold, start) = (Hold::default(), clock::now());
        let low = census(100, 40, 40);
        assert_eq!(
            hold.allow(&settings, low, false, start, start),
            Allowance::Hold
        );
        let recovered = census(100, 10, 10);
        let later = start + MINUTE;
        assert_eq!(
            hold.allow(&settings, recovered, false, start, later),
            Allowance::All
        );
        assert_eq!(hold, Hold::Normal);

        assert_eq!(
            hold.allow(&settings, low, false, later, later),
            Allowance::Hold
        );
        let nearly = later + 10 * MINUTE - Duration::from_millis(1);
        assert_eq!(
            hold.allow(&settings, low, false, later, nearly),
            Allowance::Hold
        );
        let over = later + 10 * MINUTE;
        assert_eq!(
            hold.allow(&settings, low, false, later, over),
            Allowance::Portion(15)
        );
        let rest = census(85, 25, 25);
        assert_eq!(
            hold.allow(&settings, rest, false, later, over),
            Allowance::Portion(0)
        );
        let next = over + SWEEP;
        assert_eq!(
            hold.allow(&settings, rest, false, later, next),
            Allowance::Portion(12)
        );
    }

    #[test]
    fn whoever_looks_late_finds_what_should_have_gone() {
        let settings = SelfPreservation::new();
        let (mut hold, start) = (Hold::default(), clock::now());
        let all = census(20, 20, 20);
        let day = start + 24 * 60 * MINUTE;
        assert_eq!(
            hold.allow(&settings, all, false, start, day),
            Allowance::Portion(20)
        );
    }

    #[test]
    fn the_whole_registry_holds_small_services_too_and_not_for_ever() {
        let settings = SelfPreservation::new();
        let (mut whole, start) = (Hold::default(), clock::now());
        let many = |listed, late, services_late| Census {
            listed,
            late,
            due: late,
            services_late,
        };
        assert!(!whole.is_global(&settings, many(9, 9, 5), start));
        assert!(
            !whole.is_global(&settings, many(40, 20, 1), start),
            "one service's matter"
        );
        assert!(whole.is_global(&settings, many(40, 20, 10), start));
        let pair = census(2, 2, 2);
        assert_eq!(
            Hold::default().allow(&settings, pair, true, start, start),
            Allowance::Hold
        );
        assert!(!whole.is_global(&settings, many(40, 20, 10), start + 10 * MINUTE));
        assert!(
            !whole.is_global(&settings, many(40, 20, 10), start + 11 * MINUTE),
            "it is spent"
        );
        assert!(!whole.is_global(&settings, many(40, 0, 0), start + 12 * MINUTE));
        assert!(
            whole.is_global(&settings, many(40, 20, 10), start + 13 * MINUTE),
            "it is armed again"
        );
        let off = SelfPreservation::off();
        assert!(!Hold::default().is_global(&off, many(40, 40, 10), start));
    }

    #[test]
    fn a_share_that_is_none_is_refused() {
        assert_eq!(
            SelfPreservation::new().renewals_min_percent(0),
            Err(InvalidSelfPreservation(0))
        );
        assert!(SelfPreservation::new().renewals_min_percent(101).is_err());
        assert!(SelfPreservation::new().renewals_min_percent(100).is_ok());
    }

    proptest! {
        /// Whatever the censuses: nobody goes while too few renewals come and the hold lasts, never
        /// more go than are due, and a portion is at most 15 % for each sweep that passed.
        #[test]
        fn a_hold_holds_and_ends(steps in proptest::collection::vec((0_usize..200, 0_usize..200, 0_u64..200), 1..60)) {
            let settings = SelfPreservation::new();
            let (mut hold, mut now) = (Hold::default(), clock::now());
            let mut low_since: Option<Instant> = None;
            let mut last = now;
            for (listed, late, pause) in steps {
                now += Duration::from_secs(pause);
                let late = late.min(listed);
                let census = census(listed, late, late);
                let is_low = listed >= 4 && late >= 2 && (listed - late) * 100 < listed * 85;
                low_since = is_low.then(|| low_since.unwrap_or(now));
                let allowed = hold.allow(&settings, census, false, low_since.unwrap_or(now), now);
                match low_since {
                    None => prop_assert_eq!(allowed, Allowance::All),
                    Some(since) if now < since + 10 * MINUTE => prop_assert_eq!(allowed, Allowance::Hold),
                    Some(since) => {
                        let Allowance::Portion(gone) = allowed else { panic!("it holds for ever") };
                        prop_assert!(gone <= late);
                        let from = last.max(since + 10 * MINUTE);
                        let sweeps = (now - from).as_secs() / 5 + 2;
                        prop_assert!(gone as u64 <= sweeps * (listed as u64 * 15 / 100).max(1));
                    }
                }
                last = now;
            }
        }
    }
}
