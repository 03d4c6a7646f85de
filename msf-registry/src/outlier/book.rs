//! What is remembered about one instance from sweep to sweep.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Outliers,
    window::{Calls, STEPS, Window},
};

/// What is remembered about one instance from sweep to sweep.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Book {
    pub(super) window: Window,
    /// The totals of the last sweep.
    successes: u32,
    failures: u32,
    /// How often it was ejected, less the healthy intervals since.
    times: u32,
    /// When `times` was last right.
    times_at: Option<Instant>,
    /// Until when it is ejected.
    pub(super) until: Option<Instant>,
    /// When its probe was first seen under way.
    pub(super) probing_since: Option<Instant>,
}

impl Book {
    /// Takes in what was counted since the last sweep. Successes of unknown age, because the last sweep was too long
    /// ago, do not count; failures always wake a sweep, so theirs is known.
    pub(super) fn count(
        &mut self,
        successes: u32,
        failures: u32,
        is_gap: bool,
        now: Instant,
        settings: &Outliers,
    ) {
        let mut succeeded = successes.wrapping_sub(self.successes);
        if succeeded > u32::MAX / 2 {
            // It fell: a thread that counts without waiting for others may put back a count of a moment ago. Taken for
            // all there ever were, they would hide every failure of the window.
            succeeded = 0;
        }
        let new = Calls {
            successes: if is_gap { 0 } else { succeeded.into() },
            failures: failures.wrapping_sub(self.failures).into(),
        };
        (self.successes, self.failures) = (successes, failures);
        self.window.add(new, now, settings.step());
    }

    /// Ejects it, for longer each time.
    pub(super) fn eject(&mut self, now: Instant, settings: &Outliers, random: f32) {
        // At the longest it stays: who came back long ago must not be remembered by it longer still.
        if settings.ejection(self.times) < settings.max {
            self.times += 1;
        }
        let length = settings.ejection(self.times);
        let length = length.saturating_add(length.mul_f32(settings.jitter * random));
        self.until = now.checked_add(length);
        self.probing_since = None;
    }

    /// Takes it back. What was before says nothing any more, except how often it was ejected.
    pub(super) fn take_back(&mut self, now: Instant) {
        self.window = Window::default();
        self.times_at = Some(now);
        self.until = None;
        self.probing_since = None;
    }

    /// Forgets one ejection per healthy window; gives the next moment that it would.
    pub(super) fn forgive(&mut self, now: Instant, settings: &Outliers) -> Option<Instant> {
        let mut since = self.times_at?;
        while self.times > 0 && since + settings.window <= now {
            self.times -= 1;
            since += settings.window;
        }
        self.times_at = (self.times > 0).then_some(since);
        self.times_at.map(|since| since + settings.window)
    }

    #[cfg(test)]
    pub(super) const fn times(&self) -> u32 {
        self.times
    }
}

impl Outliers {
    /// How long the window's steps are.
    pub(super) fn step(&self) -> Duration {
        self.window / STEPS
    }

    /// How long the ejection lasts that makes it so many, without the jitter.
    pub(super) fn ejection(&self, times: u32) -> Duration {
        self.base.saturating_mul(times).min(self.max)
    }

    /// How many of so many may be ejected at once: one of two always, the last never.
    pub(super) fn may_be_ejected(&self, of: usize) -> usize {
        if self.max_ejected <= 0.0 {
            return 0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a count fits into a count"
        )]
        let part = (of as f64 * f64::from(self.max_ejected)) as usize;
        part.max(1).min(of.saturating_sub(1))
    }
}
