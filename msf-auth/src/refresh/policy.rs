//! How long refresh tokens live.

use std::{ops::RangeInclusive, time::Duration};

use super::InvalidRefreshPolicy;

/// Settings of [`RefreshTokens`](super::RefreshTokens).
///
/// ```
/// use std::time::Duration;
/// use msf_auth::refresh::RefreshPolicy;
///
/// let strict = RefreshPolicy { grace: Duration::ZERO, ..RefreshPolicy::default() };
/// assert_eq!(strict.idle, Duration::from_secs(14 * 86_400));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is written down with `..default()`"
)]
pub struct RefreshPolicy {
    /// How long a token may lie unused; default 14 d, which is a holiday. Between 1 s and 400 d.
    pub idle: Duration,
    /// How long after the login the last token ends, however often it was rotated; default 90 d. Between 1 s and 400 d.
    pub absolute: Duration,
    /// How long a rotated token still gives its successor; default 20 s: a client whose answer was lost tries again, and
    /// the tabs of a browser ask at once. Up to 60 s, since a thief has it too; none means that every lost answer logs a
    /// user out.
    pub grace: Duration,
    /// Sessions of a subject; default 32. A further login ends the one that was unused for the longest. Between 1 and
    /// 1000.
    pub families_max: usize,
    /// How long a call waits for the store; default 2 s, after which a client tries again anyway. Between 1 ms and
    /// 60 s.
    pub wait_max: Duration,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            idle: 14 * DAY,
            absolute: 90 * DAY,
            grace: Duration::from_secs(20),
            families_max: 32,
            wait_max: Duration::from_secs(2),
        }
    }
}

impl RefreshPolicy {
    pub(super) fn check(&self) -> Result<(), InvalidRefreshPolicy> {
        let within = |field, value: Duration, range: RangeInclusive<Duration>| {
            if range.contains(&value) {
                return Ok(());
            }
            Err(InvalidRefreshPolicy::Duration {
                field,
                min: *range.start(),
                max: *range.end(),
            })
        };
        within("idle", self.idle, SECOND..=400 * DAY)?;
        within("absolute", self.absolute, SECOND..=400 * DAY)?;
        within("grace", self.grace, Duration::ZERO..=60 * SECOND)?;
        within(
            "wait_max",
            self.wait_max,
            Duration::from_millis(1)..=60 * SECOND,
        )?;
        if !(1..=FAMILIES_MAX).contains(&self.families_max) {
            return Err(InvalidRefreshPolicy::Families);
        }
        Ok(())
    }
}

/// A duration in the unit of the state machine.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const FAMILIES_MAX: usize = 1000;
