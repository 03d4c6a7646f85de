//! How long to wait before the next try.
//!
//! A herd of clients that failed together must not come back together. [`Backoff`] grows the wait
//! exponentially up to a cap and spreads it with one of the jitters that the AWS architecture blog
//! compared ("Exponential Backoff And Jitter", Marc Brooker, 2015). It is a value: it knows no clock
//! and does not sleep.
//!
//! | [`Jitter`] | wait before try *n* | when |
//! |---|---|---|
//! | `Full` (default) | uniform in `0 ..= d` | many clients against one server |
//! | `Equal` | uniform in `d/2 ..= d` | some wait must be certain |
//! | `Decorrelated` | uniform in `base ..= 3 × previous`, capped | long outages |
//! | `None` | `d` | one client only, or a test |
//!
//! with `d = min(max, base × 2ⁿ)`, `n` counted from 0.
//!
//! ```
//! use std::time::Duration;
//! use msf_core::backoff::{Backoff, Jitter};
//!
//! let backoff = Backoff::exponential(Duration::from_millis(50), Duration::from_secs(1))?
//!     .jitter(Jitter::None);
//! let mut delays = backoff.delays();
//! assert_eq!(delays.next_delay(), Duration::from_millis(50));
//! assert_eq!(delays.next_delay(), Duration::from_millis(100));
//! # Ok::<(), msf_core::backoff::InvalidBackoff>(())
//! ```

use std::time::Duration;

/// An exponential back-off: base, cap and jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    max: Duration,
    jitter: Jitter,
}

/// How a wait is spread, so that clients that failed together do not return together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Jitter {
    /// Uniform from zero to the exponential wait.
    #[default]
    Full,
    /// Uniform in the upper half of the exponential wait.
    Equal,
    /// Uniform from the base to three times the previous wait, capped.
    Decorrelated,
    /// The exponential wait itself.
    None,
}

/// The waits of one operation, in order; made by [`Backoff::delays`].
#[derive(Clone, Debug)]
pub struct Delays {
    backoff: Backoff,
    attempt: u32,
    previous: Duration,
    rng: fastrand::Rng,
}

/// A back-off that could not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBackoff {
    /// The base is zero, so every wait would be zero.
    #[error("the base of a back-off must be more than zero")]
    ZeroBase,
    /// The cap is below the base.
    #[error("the cap of a back-off ({max:?}) must not be below its base ({base:?})")]
    MaxBelowBase {
        /// The base that was given.
        base: Duration,
        /// The cap that was given.
        max: Duration,
    },
}

impl Backoff {
    /// A wait that doubles from `base` up to `max`, with [`Jitter::Full`].
    ///
    /// # Errors
    ///
    /// [`InvalidBackoff`] when `base` is zero or above `max`.
    pub const fn exponential(base: Duration, max: Duration) -> Result<Self, InvalidBackoff> {
        if base.is_zero() {
            Err(InvalidBackoff::ZeroBase)
        } else if max.as_nanos() < base.as_nanos() {
            Err(InvalidBackoff::MaxBelowBase { base, max })
        } else {
            Ok(Self {
                base,
                max,
                jitter: Jitter::Full,
            })
        }
    }

    /// Chooses the jitter.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The shortest exponential wait.
    #[must_use]
    pub const fn base(&self) -> Duration {
        self.base
    }

    /// The longest wait.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// The waits of one operation, from the first.
    #[must_use]
    pub fn delays(self) -> Delays {
        self.delays_with(fastrand::Rng::new())
    }

    /// The waits drawn from a seed: the same seed gives the same waits.
    ///
    /// ```
    /// use std::time::Duration;
    /// use msf_core::backoff::Backoff;
    ///
    /// let backoff = Backoff::exponential(Duration::from_millis(50), Duration::from_secs(1))?;
    /// let (mut a, mut b) = (backoff.delays_from_seed(7), backoff.delays_from_seed(7));
    /// assert_eq!(a.next_delay(), b.next_delay());
    /// # Ok::<(), msf_core::backoff::InvalidBackoff>(())
    /// ```
    #[must_use]
    pub fn delays_from_seed(self, seed: u64) -> Delays {
        self.delays_with(fastrand::Rng::with_seed(seed))
    }

    const fn delays_with(self, rng: fastrand::Rng) -> Delays {
        Delays {
            backoff: self,
            attempt: 0,
            previous: self.base,
            rng,
        }
    }

    /// `min(max, base × 2^attempt)`, without overflow.
    fn ceiling(&self, attempt: u32) -> Duration {
        // A factor has 32 bits, which a base of nanoseconds outgrows; two of them make at least a century.
        let low = attempt.min(31);
        let high = (attempt - low).min(31);
        let wait = self.base.saturating_mul(1 << low).saturating_mul(1 << high);
        wait.min(self.max)
    }
}

impl Delays {
    /// The next wait. There is no last one: who counts the tries decides when to stop.
    pub fn next_delay(&mut self) -> Duration {
        let ceiling = self.backoff.ceiling(self.attempt);
        self.attempt = self.attempt.saturating_add(1);
        let delay = match self.backoff.jitter {
            Jitter::Full => self.between(Duration::ZERO, ceiling),
            Jitter::Equal => self.between(ceiling / 2, ceiling),
            Jitter::Decorrelated => {
                let upper = self.previous.saturating_mul(3).min(self.backoff.max);
                self.between(self.backoff.base, upper)
            }
            Jitter::None => ceiling,
        };
        self.previous = delay.max(self.backoff.base);
        delay
    }

    /// How many waits were taken.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempt
    }

    /// Starts over, after a success.
    pub const fn reset(&mut self) {
        self.attempt = 0;
        self.previous = self.backoff.base;
    }

    fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span_ns = u64::try_from(high.saturating_sub(low).as_nanos()).unwrap_or(u64::MAX);
        low + Duration::from_nanos(self.rng.u64(..=span_ns))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Duration = Duration::from_millis(50);
    const MAX: Duration = Duration::from_secs(2);

    fn backoff(jitter: Jitter) -> Backoff {
        Backoff::exponential(BASE, MAX).unwrap().jitter(jitter)
    }

    #[test]
    fn without_jitter_the_wait_doubles_up_to_the_cap() {
        let mut delays = backoff(Jitter::None).delays();
        let waits: Vec<u128> = (0..8).map(|_| delays.next_delay().as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
        assert_eq!(delays.attempts(), 8);
        delays.reset();
        assert_eq!(delays.next_delay(), BASE);
    }

    #[test]
    fn a_tiny_base_reaches_a_large_cap() {
        let max = Duration::from_secs(3_600);
        let backoff = Backoff::exponential(Duration::from_nanos(1), max).unwrap();
        assert_eq!(backoff.ceiling(40), Duration::from_nanos(1 << 40));
        assert_eq!(backoff.ceiling(60), max);
        assert_eq!(backoff.ceiling(u32::MAX), max);
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(
            Backoff::exponential(Duration::ZERO, MAX),
            Err(InvalidBackoff::ZeroBase)
        );
        assert!(matches!(
            Backoff::exponential(MAX, BASE),
            Err(InvalidBackoff::MaxBelowBase { .. })
        ));
    }

    #[test]
    fn full_jitter_uses_the_whole_range() {
        let backoff = backoff(Jitter::Full);
        let firsts: Vec<Duration> = (0..1_000)
            .map(|seed| backoff.delays_from_seed(seed).next_delay())
            .collect();
        assert!(firsts.iter().any(|d| *d < BASE / 5));
        assert!(firsts.iter().any(|d| *d > BASE * 4 / 5));
    }

    proptest! {
        #[test]
        fn every_wait_is_in_its_bounds(
            base_ns in 1_u64..u64::MAX / 2,
            extra_ns in 0_u64..u64::MAX / 2,
            seed: u64,
            tries in 1_usize..80,
        ) {
            let base = Duration::from_nanos(base_ns);
            let max = base + Duration::from_nanos(extra_ns);
            let backoff = Backoff::exponential(base, max).unwrap();
            for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::None] {
                let mut delays = backoff.jitter(jitter).delays_from_seed(seed);
                for attempt in 0..tries {
                    let ceiling = backoff.ceiling(u32::try_from(attempt).unwrap());
                    let delay = delays.next_delay();
                    prop_assert!(delay <= max);
                    match jitter {
                        Jitter::Full => prop_assert!(delay <= ceiling),
                        Jitter::Equal => prop_assert!(delay >= ceiling / 2 && delay <= ceiling),
                        Jitter::Decorrelated => prop_assert!(delay >= base),
                        Jitter::None => prop_assert_eq!(delay, ceiling),
                    }
                }
            }
        }
    }
}
