//! The estimate of one instance's latency.

use std::sync::atomic::{AtomicU64, Ordering};

/// A peak-EWMA estimate in one atomic word: seconds as `f32`, and the milliseconds at which they held.
///
/// Times are milliseconds since a base that the owner keeps; they wrap after 49 days, and an estimate
/// that is older than that is worth nothing anyway. Without an estimate the time is that of the last call that was
/// given up, if there was one.
#[derive(Debug)]
pub(crate) struct Cost(AtomicU64);

/// What a call told about its instance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It was answered after this time.
    Answered(Seconds),
    /// It failed, and this long it should be left alone.
    Failed(Seconds),
    /// It was given up after this time.
    Abandoned(Seconds),
}

/// A `Duration` is taken apart and put together again for more than the rest of an estimate costs.
pub(crate) type Seconds = f32;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Estimate {
    seconds: f32,
    at_ms: u32,
}

impl Cost {
    pub(crate) const fn unknown() -> Self {
        Self(AtomicU64::new(UNKNOWN))
    }

    /// A cell of its own with the same estimate.
    #[cfg(test)]
    pub(crate) fn copied(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }

    /// Forgets everything.
    pub(crate) fn forget(&self) {
        self.0.store(UNKNOWN, Ordering::Relaxed);
    }

    /// The score of an instance with so many calls in flight, each of which weighs `share` on it: the lower,
    /// the better.
    ///
    /// Only the calls in flight are weighed: without any, the heavy are not quicker, they are only drawn more often.
    /// And for them an estimate does not fade: it fades so that one call finds out how things are, and while that call
    /// is under way nobody has found out anything.
    #[inline]
    pub(crate) fn score(&self, in_flight: u32, share: f32, now_ms: u32) -> f32 {
        let word = self.0.load(Ordering::Relaxed);
        let calls = in_flight as f32 * share;
        match Estimate::unpack(word) {
            Some(estimate) => estimate.seconds * (decay(estimate.age_ms(now_ms)) + calls),
            None if in_flight == 0 && !is_just_tried(word, now_ms) => 0.0,
            None => UNKNOWN_BUSY_SECONDS * (calls + 1.0),
        }
    }

    /// Folds an outcome in. An answer may be lost, under contention or among many, which only delays the average; a
    /// failure never is, and a slow answer only under contention.
    pub(crate) fn observe(&self, outcome: Outcome, now_ms: u32) {
        let mut tries = match outcome {
            Outcome::Failed(_) => u32::MAX,
            Outcome::Answered(_) | Outcome::Abandoned(_) => LOSSY_TRIES,
        };
        let mut seen = self.0.load(Ordering::Relaxed);
        while tries > 0 {
            let Some(next) = fold(Estimate::unpack(seen), outcome, now_ms) else {
                return;
            };
            let swapped = self.0.compare_exchange_weak(
                seen,
                next.pack(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return,
                Err(actual) => seen = actual,
            }
            tries -= 1;
        }
    }

    /// The estimate now.
    pub(crate) fn seconds(&self, now_ms: u32) -> Option<f32> {
        Estimate::unpack(self.0.load(Ordering::Relaxed)).map(|e| e.decayed(now_ms))
    }
}

/// The estimate after an outcome; `None` leaves it as it is.
fn fold(before: Option<Estimate>, outcome: Outcome, now_ms: u32) -> Option<Estimate> {
    let at = |seconds: f32| {
        Some(Estimate {
            seconds: seconds.max(f32::MIN_POSITIVE),
            at_ms: now_ms,
        })
    };
    let (sample, is_peak_only) = match outcome {
        Outcome::Answered(elapsed) => (elapsed, false),
        Outcome::Failed(penalty) => (penalty, true),
        Outcome::Abandoned(elapsed) => (elapsed, true),
    };
    let Some(before) = before else {
        return match outcome {
            // Given up early says nothing but that it was tried; it stays unknown and is tried again, but not by the
            // very next call: if it hangs, callers that wait for less would all go there.
            Outcome::Abandoned(_) if sample < UNKNOWN_BUSY_SECONDS => Some(Estimate {
                seconds: 0.0,
                at_ms: now_ms.max(1),
            }),
            _ => at(sample),
        };
    };
    let kept = before.decayed(now_ms);
    if sample >= kept {
        return at(sample);
    }
    let age_ms = before.age_ms(now_ms);
    if is_peak_only || age_ms < QUIET_MS {
        return None;
    }
    let weight = decay(age_ms);
    at(kept + sample * (1.0 - weight))
}

impl Estimate {
    const fn pack(self) -> u64 {
        ((self.seconds.to_bits() as u64) << 32) | self.at_ms as u64
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves are taken apart"
    )]
    const fn unpack(word: u64) -> Option<Self> {
        let bits = (word >> 32) as u32;
        if bits == 0 {
            return None;
        }
        Some(Self {
            seconds: f32::from_bits(bits),
            at_ms: word as u32,
        })
    }

    #[inline]
    fn decayed(self, now_ms: u32) -> f32 {
        self.seconds * decay(self.age_ms(now_ms))
    }

    /// A clock that another thread read a moment ago gives 0 and not 49 days.
    const fn age_ms(self, now_ms: u32) -> u32 {
        let age = now_ms.wrapping_sub(self.at_ms);
        if age > u32::MAX - MOMENT_MS { 0 } else { age }
    }
}

/// Whether the word of an instance without an estimate says that a call to it was given up a moment ago.
#[cold]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half is the time"
)]
const fn is_just_tried(word: u64, now_ms: u32) -> bool {
    let tried = Estimate {
        seconds: 0.0,
        at_ms: word as u32,
    };
    word != UNKNOWN && tried.age_ms(now_ms) < TRIED_AGAIN_MS
}

/// `e^(−age/τ)`.
#[inline]
fn decay(age_ms: u32) -> f32 {
    let x = age_ms as f32 * PER_TAU_MS;
    // The first term of the series is exact to 5e-5 here, and this is where busy instances are.
    if x < 0.01 { 1.0 - x } else { (-x).exp() }
}

const UNKNOWN: u64 = 0;
const PER_TAU_MS: f32 = 1.0 / 10_000.0;
const UNKNOWN_BUSY_SECONDS: f32 = 1.0;
/// An instance without an estimate is tried again so long after a call to it was given up.
const TRIED_AGAIN_MS: u32 = 1_000;
const LOSSY_TRIES: u32 = 2;
/// An answer that raises nothing is left out for so long after the last one that was counted: it would weigh 0.04 %
/// at most, and each that counts takes the estimate away from all other cores.
const QUIET_MS: u32 = 4;
/// By how much the clocks of two threads that were read one after the other can seem to disagree.
const MOMENT_MS: u32 = 60_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Seconds {
        ms as f32 / 1_000.0
    }

    fn close(a: Option<f32>, b: f32) {
        let a = a.unwrap();
        assert!((a - b).abs() <= b * 0.01, "{a} is not {b}");
    }

    #[test]
    fn a_slow_answer_counts_at_once_and_a_fast_one_slowly() {
        let cost = Cost::unknown();
        cost.observe(Outcome::Answered(ms(10)), 0);
        close(cost.seconds(0), 0.010);
        cost.observe(Outcome::Answered(ms(800)), 0);
        close(cost.seconds(0), 0.800);
        cost.observe(Outcome::Answered(ms(10)), 1_000);
        close(cost.seconds(1_000), 0.800 * 0.9048 + 0.010 * 0.0952);
    }

    #[test]
    fn an_idle_estimate_fades_with_a_time_constant_of_ten_seconds() {
        let cost = Cost::unknown();
        cost.observe(Outcome::Failed(ms(5_000)), 0);
        close(cost.seconds(10_000), 5.0 * 0.3679);
        close(cost.seconds(50_000), 5.0 * 0.00674);
    }

    #[test]
    fn an_unknown_instance_is_tried_once() {
        let cost = Cost::unknown();
        let known = Cost::unknown();
        known.observe(Outcome::Answered(ms(30)), 0);
        assert!(cost.score(0, 1.0, 0) < known.score(0, 1.0, 0));
        assert!(cost.score(1, 1.0, 0) > known.score(5, 1.0, 0));
    }

    #[test]
    fn a_call_given_up_can_only_raise_the_estimate() {
        let cost = Cost::unknown();
        cost.observe(Outcome::Abandoned(ms(1)), 0);
        assert_eq!(cost.seconds(0), None);
        cost.observe(Outcome::Answered(ms(50)), 0);
        cost.observe(Outcome::Abandoned(ms(1)), 0);
        close(cost.seconds(0), 0.050);
        cost.observe(Outcome::Abandoned(ms(900)), 0);
        close(cost.seconds(0), 0.900);
    }

    #[test]
    fn an_unknown_instance_that_was_given_up_is_tried_again_after_a_second() {
        let (cost, known) = (Cost::unknown(), Cost::unknown());
        known.observe(Outcome::Answered(ms(30)), 5_000);
        cost.observe(Outcome::Abandoned(ms(500)), 5_000);
        assert_eq!(cost.seconds(5_000), None);
        assert!(cost.score(0, 1.0, 5_999) > known.score(5, 1.0, 5_999));
        assert_eq!(cost.score(0, 1.0, 6_000), 0.0);
        // At the moment that stands for never, too.
        let first = Cost::unknown();
        first.observe(Outcome::Abandoned(ms(1)), 0);
        assert!(first.score(0, 1.0, 1) > 0.0);
        cost.observe(Outcome::Answered(ms(20)), 6_100);
        close(cost.seconds(6_100), 0.020);
    }

    #[test]
    fn an_estimate_that_has_faded_does_not_make_calls_in_flight_weightless() {
        for idle_ms in [60_000, 1_200_000, 86_400_000] {
            let (hangs, answers) = (Cost::unknown(), Cost::unknown());
            hangs.observe(Outcome::Answered(ms(10)), 0);
            answers.observe(Outcome::Answered(ms(10)), idle_ms);
            assert!(hangs.score(0, 1.0, idle_ms) < answers.score(0, 1.0, idle_ms));
            assert!(hangs.score(2, 1.0, idle_ms) > answers.score(0, 1.0, idle_ms));
        }
    }

    #[test]
    fn a_failure_never_lowers_the_estimate() {
        let cost = Cost::unknown();
        cost.observe(Outcome::Failed(ms(60_000)), 0);
        cost.observe(Outcome::Failed(ms(5_000)), 0);
        close(cost.seconds(0), 60.0);
    }

    #[test]
    fn time_may_wrap_and_be_read_out_of_order() {
        let cost = Cost::unknown();
        cost.observe(Outcome::Answered(ms(100)), u32::MAX - 4_999);
        close(cost.seconds(5_000), 0.100 * 0.3679);
        close(cost.seconds(u32::MAX - 5_100), 0.100);
    }

    #[test]
    fn an_estimate_of_last_month_is_worth_nothing() {
        let cost = Cost::unknown();
        cost.observe(Outcome::Failed(ms(5_000)), 0);
        let days = |days: u32| cost.seconds(days * 86_400_000).unwrap();
        assert!(days(20) < 1e-6);
        assert!(days(30) < 1e-6);
        assert!(days(49) < 1e-6);
    }

    #[test]
    fn an_answer_in_no_time_is_an_estimate_too() {
        let cost = Cost::unknown();
        cost.observe(Outcome::Answered(0.0), 0);
        assert!(cost.seconds(0).is_some());
    }

    proptest! {
        #[test]
        fn the_estimate_stays_within_what_was_seen(
            steps in proptest::collection::vec((0_u64..10_000, 0_u32..20_000), 1..200)
        ) {
            let cost = Cost::unknown();
            let (mut now_ms, mut most) = (0_u32, 0_u64);
            for (sample_ms, pause_ms) in steps {
                now_ms += pause_ms;
                most = most.max(sample_ms);
                cost.observe(Outcome::Answered(ms(sample_ms)), now_ms);
                let seconds = cost.seconds(now_ms).unwrap();
                prop_assert!(seconds.is_finite() && seconds > 0.0);
                prop_assert!(seconds <= most as f32 / 1_000.0 * 1.0001 + f32::MIN_POSITIVE);
                // A peak is taken at once, and the way down never passes the sample.
                prop_assert!(seconds >= sample_ms as f32 / 1_000.0 * 0.9999);
            }
        }

        #[test]
        fn packing_is_lossless(bits in 1_u32..0x7f80_0000, at_ms: u32) {
            let estimate = Estimate { seconds: f32::from_bits(bits), at_ms };
            prop_assert_eq!(Estimate::unpack(estimate.pack()), Some(estimate));
        }
    }
}
