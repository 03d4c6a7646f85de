//! Time: one monotonic clock that tests can pause, and wall time for the protocols that need it.
//!
//! Everything in msf that waits or measures takes its time from tokio's clock ([`now`]), so a test
//! under `#[tokio::test(start_paused = true)]` steps the whole framework. Wall time is for protocols
//! only (token expiry, log lines, `Date`); it comes from a [`WallClock`], which in a test is pinned to a
//! known instant and then moves with the paused clock.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use msf_core::clock::{self, WallClock};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let wall = WallClock::pinned(SystemTime::UNIX_EPOCH);
//! let start = clock::now();
//!
//! tokio::time::advance(Duration::from_secs(90)).await;
//!
//! assert_eq!(clock::now() - start, Duration::from_secs(90));
//! assert_eq!(wall.unix_seconds(), 90);
//! # }
//! ```

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

/// The current instant of tokio's clock.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Whether this build of tokio has a clock that tests can pause (its feature `test-util`).
///
/// In such a build every reading comes from tokio, so that nothing is older than the paused clock says.
const CAN_PAUSE: bool = {
    struct Absent;
    const fn pause() -> Absent {
        Absent
    }
    // So that neither is unused when tokio's function hides them.
    const _: fn() -> Absent = pause;

    trait Answer {
        const IS_TOKIO: bool;
    }
    impl Answer for () {
        const IS_TOKIO: bool = true;
    }
    impl Answer for Absent {
        const IS_TOKIO: bool = false;
    }
    const fn is_tokio<A: Answer>(_: fn() -> A) -> bool {
        A::IS_TOKIO
    }
    {
        // A glob import in a block goes before the names around the block: where tokio has `pause`, it is tokio's.
        use tokio::time::*;
        const _: Option<Sleep> = None;
        is_tokio(pause)
    }
};

/// A moment from which nanoseconds are counted, in a `u64` that atomics can hold.
///
/// The count lasts for 584 years. Readings of one epoch can be compared with each other.
///
/// ```
/// use std::time::Duration;
/// use msf_core::clock::{self, Epoch};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let epoch = Epoch::new();
/// tokio::time::advance(Duration::from_micros(3)).await;
/// assert_eq!(epoch.nanos(), 3_000);
/// assert_eq!(epoch.nanos_at(clock::now()), 3_000);
/// assert_eq!(epoch.coarse_nanos(), 3_000);
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    start: Instant,
    coarse_start: u64,
}

impl Epoch {
    /// An epoch that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: now(),
            coarse_start: coarse::monotonic_nanos(),
        }
    }

    /// An epoch that began so long ago, for what outlives the clock of one test.
    ///
    /// A clock that was paused earlier, or not moved as far, reads less than the one that made the epoch; before an epoch
    /// every reading is 0. It begins now where the platform's range of instants does not reach back so far.
    ///
    /// ```
    /// use std::time::Duration;
    /// use msf_core::clock::Epoch;
    ///
    /// let epoch = Epoch::before(Duration::from_secs(60));
    /// assert!(epoch.nanos() >= 60_000_000_000);
    /// ```
    #[must_use]
    pub fn before(ago: Duration) -> Self {
        let Some(start) = now().checked_sub(ago) else {
            return Self::new();
        };
        let ago = u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX);
        Self {
            start,
            coarse_start: coarse::monotonic_nanos().wrapping_sub(ago),
        }
    }

    /// Nanoseconds until now.
    #[must_use]
    pub fn nanos(&self) -> u64 {
        self.nanos_at(now())
    }

    /// Nanoseconds until `instant`; 0 for one before the epoch.
    #[must_use]
    pub fn nanos_at(&self, instant: Instant) -> u64 {
        let elapsed = instant.saturating_duration_since(self.start);
        // Not `as_nanos`, which multiplies in 128 bits.
        elapsed
            .as_secs()
            .saturating_mul(1_000_000_000)
            .saturating_add(elapsed.subsec_nanos().into())
    }

    /// Nanoseconds until the kernel's last tick: up to 4 ms ago with the usual 250 ticks a second, 10 ms with 100.
    ///
    /// It costs about a quarter of [`nanos`](Self::nanos) and never goes backwards, but lies behind it: use it to sort
    /// events into buckets of 10 ms or more, not to measure. Where tokio's clock can be paused (a build with
    /// `test-util`, so every test), and outside Linux, it is `nanos`.
    #[inline]
    #[must_use]
    pub fn coarse_nanos(&self) -> u64 {
        if CAN_PAUSE || !coarse::IS_THERE {
            return self.nanos();
        }
        // The start of `before` may lie before the clock's zero. Later readings are never smaller.
        coarse::monotonic_nanos().wrapping_sub(self.coarse_start)
    }

    /// The instant so many nanoseconds after the epoch.
    ///
    /// ```
    /// use msf_core::clock::Epoch;
    ///
    /// let epoch = Epoch::new();
    /// assert_eq!(epoch.nanos_at(epoch.instant(7)), 7);
    /// ```
    #[must_use]
    pub fn instant(&self, nanos: u64) -> Instant {
        let wait = Duration::from_nanos(nanos);
        // Saturates at the epoch: `Instant + Duration` panics where the platform's range ends.
        self.start.checked_add(wait).unwrap_or(self.start)
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(target_os = "linux")]
mod coarse {
    use rustix::time::{ClockId, clock_gettime};

    pub(super) const IS_THERE: bool = true;

    #[inline]
    pub(super) fn monotonic_nanos() -> u64 {
        let time = clock_gettime(ClockId::MonotonicCoarse);
        // Monotonic time is not negative, and fits for 584 years.
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        seconds * 1_000_000_000 + nanos
    }
}

#[cfg(not(target_os = "linux"))]
mod coarse {
    pub(super) const IS_THERE: bool = false;

    pub(super) const fn monotonic_nanos() -> u64 {
        0
    }
}

/// A moment from which nanoseconds are counted by the processor's own counter, for latencies on hot paths.
///
/// A reading costs about 40 % of one of [`Epoch::nanos`] where the counter runs at a constant rate: where the processor
/// says so, as any current x86-64 and AArch64 does, and Linux has not found otherwise by itself. Elsewhere it is `nanos`,
/// as it is where tokio's clock can be paused (a build with `test-util`, so every test).
///
/// Nobody corrects the counter. It can run away from [`now`] by a second in some hours, and by more after a virtual
/// machine has moved to a machine with another rate: compare its readings only with those of the same epoch. Where the
/// counter begins anew, as some do while a machine sleeps, the readings are 0 until it is where it was.
///
/// The first epoch of a process finds out how fast the counter is, which takes a few milliseconds, and up to 200 on a
/// machine that is busy: make it at start.
///
/// ```
/// use std::time::Duration;
/// use msf_core::clock::QuickEpoch;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let epoch = QuickEpoch::new();
/// let begun = epoch.nanos();
/// tokio::time::advance(Duration::from_micros(3)).await;
/// assert_eq!(epoch.nanos() - begun, 3_000);
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct QuickEpoch {
    start: Instant,
    counter_start: u64,
}

impl QuickEpoch {
    /// An epoch that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: now(),
            counter_start: counter().map_or(0, quanta::Clock::raw),
        }
    }

    /// Nanoseconds until now. Readings of two threads may disagree by the little by which their cores' counters do.
    #[inline]
    #[must_use]
    pub fn nanos(&self) -> u64 {
        if let Some(counter) = counter() {
            return counter.delta_as_nanos(self.counter_start, counter.raw());
        }
        let elapsed = now().saturating_duration_since(self.start);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Default for QuickEpoch {
    fn default() -> Self {
        Self::new()
    }
}

#[inline]
fn counter() -> Option<&'static quanta::Clock> {
    if CAN_PAUSE { None } else { COUNTER.as_ref() }
}

/// Absent where it cannot be trusted.
static COUNTER: LazyLock<Option<quanta::Clock>> = LazyLock::new(|| {
    let sources = std::fs::read_to_string(CLOCK_SOURCES).ok();
    is_steady(sources.as_deref()).then(quanta::Clock::new)
});

/// Whether the kernel, which watches the counter of an x86-64 against other clocks, still takes it for one. Who cannot
/// be asked has nothing against it.
fn is_steady(sources: Option<&str>) -> bool {
    cfg!(not(target_arch = "x86_64"))
        || sources.is_none_or(|sources| sources.split_whitespace().any(|source| source == "tsc"))
}

/// A source that was found to be unstable is not on this list any more.
const CLOCK_SOURCES: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";

/// A source of wall time: the system's, or one pinned for a test.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock {
    pin: Option<(SystemTime, Instant)>,
}

impl WallClock {
    /// The system's clock, which may jump when it is set.
    #[must_use]
    pub const fn system() -> Self {
        Self { pin: None }
    }

    /// A clock that reads `time` now and moves with tokio's clock from here on.
    #[must_use]
    pub fn pinned(time: SystemTime) -> Self {
        Self {
            pin: Some((time, now())),
        }
    }

    /// The wall time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        match self.pin {
            None => SystemTime::now(),
            // Saturates at the pin: `SystemTime + Duration` panics where the platform's range ends.
            Some((time, since)) => time
                .checked_add(now().saturating_duration_since(since))
                .unwrap_or(time),
        }
    }

    /// Whole seconds since 1970-01-01 UTC, as tokens carry them; 0 for earlier times.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        self.now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_knows_that_its_clock_can_be_paused() {
        // The tests of this crate are built with `test-util`.
        const { assert!(CAN_PAUSE) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_epoch_stands_still() {
        let epoch = Epoch::new();
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(epoch.nanos(), 3_000_000_000);
        assert_eq!(epoch.coarse_nanos(), 3_000_000_000);
        assert_eq!(epoch.instant(3_000_000_000), now());
    }

    #[test]
    fn what_was_before_the_epoch_is_its_beginning() {
        let before = now();
        let epoch = Epoch {
            start: before + Duration::from_secs(1),
            coarse_start: u64::MAX,
        };
        assert_eq!(epoch.nanos_at(before), 0);
        assert_eq!(epoch.instant(u64::MAX), epoch.instant(u64::MAX));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernels_tick_follows_the_clock_and_never_goes_back() {
        // Both count from the same moment, so neither waits for the other: the tick is behind a reading taken
        // after it, and not behind one taken before it by more than a tick (10 ms at 100 Hz).
        let (ticks, start) = (coarse::monotonic_nanos(), now());
        let mut last = ticks;
        while last == ticks {
            last = coarse::monotonic_nanos();
            assert!(last >= ticks);
        }
        let passed = u128::from(last - ticks);
        assert!(
            passed <= start.elapsed().as_nanos() + 10_000_000,
            "{passed}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_quick_epoch_stands_still() {
        let epoch = QuickEpoch::new();
        assert_eq!(epoch.nanos(), 0);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(epoch.nanos(), 3_000_000_000);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_counter_that_the_kernel_gave_up_is_not_read() {
        for (sources, expected) in [
            (Some("tsc kvm-clock acpi_pm \n"), true),
            (Some("kvm-clock tsc"), true),
            (Some("hpet acpi_pm \n"), false),
            (Some("hyperv_clocksource_tsc_page acpi_pm"), false),
            (None, true),
        ] {
            assert_eq!(is_steady(sources), expected, "{sources:?}");
        }
    }

    #[test]
    fn the_processors_counter_is_about_as_fast_as_the_clock() {
        let Some(counter) = &*COUNTER else { return };
        // Bracketed both ways, so that a pause between two readings counts on both sides.
        let (outer, start) = (now(), counter.raw());
        let inner = now();
        while inner.elapsed() < Duration::from_millis(5) {}
        let least = inner.elapsed().as_secs_f64();
        let counted = counter.delta_as_nanos(start, counter.raw()) as f64 / 1e9;
        let most = outer.elapsed().as_secs_f64();
        assert!(
            least * 0.99 <= counted && counted <= most * 1.01,
            "{least} {counted} {most}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_pinned_clock_moves_with_the_paused_one() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(43_200);
        let clock = WallClock::pinned(noon);
        assert_eq!(clock.now(), noon);
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(clock.now(), noon + Duration::from_millis(1_500));
        assert_eq!(clock.unix_seconds(), 43_201);
    }

    #[test]
    fn a_time_before_1970_is_zero_seconds() {
        let clock = WallClock::pinned(SystemTime::UNIX_EPOCH - Duration::from_secs(5));
        assert_eq!(clock.unix_seconds(), 0);
    }

    #[test]
    fn the_system_clock_is_the_systems() {
        let before = SystemTime::now();
        assert!(WallClock::system().now() >= before);
    }
}
