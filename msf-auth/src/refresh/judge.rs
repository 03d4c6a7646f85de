//! What a token is answered with: a pure function of its row, and the changes of a row.

use super::{
    Family, RefreshPolicy,
    family::{Bytes32, Previous, Sealed},
    policy::millis,
    text::{Hash, equal},
};

/// What is known about a token that somebody brings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence<'a> {
    /// Whether its tag is right.
    pub(super) is_genuine: bool,
    pub(super) generation: u32,
    pub(super) hash: &'a Hash,
    pub(super) client: Option<&'a str>,
}

/// What it is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the current one: it gets a successor.
    Rotate,
    /// It was rotated a moment ago: it gets the same successor.
    Repeat,
    /// It was used before: the family ends.
    Reused,
    Expired,
    /// The clock cannot be right.
    ClockBehind,
    Revoked,
    OtherClient,
    Unknown,
}

impl Family {
    pub(super) fn judge(
        &self,
        token: &Evidence<'_>,
        policy: &RefreshPolicy,
        now_ms: u64,
    ) -> Verdict {
        // First what costs nobody anything: a stranger must not be able to end a session.
        if !token.is_genuine {
            return Verdict::Unknown;
        }
        if token.client != self.grant.client_id() {
            return Verdict::OtherClient;
        }
        // Before the grace: a family that was ended because of a theft gives nothing, to neither holder.
        if self.is_revoked {
            return Verdict::Revoked;
        }
        if self.has_ended(policy, now_ms) {
            return Verdict::Expired;
        }
        if self.is_ahead_of(now_ms) {
            return Verdict::ClockBehind;
        }
        if token.generation == self.generation && equal(token.hash, &self.current.0) {
            return Verdict::Rotate;
        }
        match &self.previous {
            Some(previous)
                if token.generation.checked_add(1) == Some(self.generation)
                    && equal(token.hash, &previous.hash.0)
                    && previous.is_in_grace(policy, now_ms) =>
            {
                Verdict::Repeat
            }
            // Also a token of a generation that is not there yet: the store lost rows, and who has which token is not
            // known any more.
            _ => Verdict::Reused,
        }
    }

    /// Whether no token of it is good for anything any more. A policy that became shorter counts at once, one that
    /// became longer does not: the row may be removed by then.
    pub(super) fn has_ended(&self, policy: &RefreshPolicy, now_ms: u64) -> bool {
        self.not_before_last_use(now_ms) >= self.end_ms(policy)
    }

    /// When its tokens end if none is used.
    pub(super) fn end_ms(&self, policy: &RefreshPolicy) -> u64 {
        let absolute_ms = self.issued_ms.saturating_add(millis(policy.absolute));
        let idle_ms = self.used_ms.saturating_add(millis(policy.idle));
        self.ends_ms.min(absolute_ms).min(idle_ms)
    }

    /// Whether it was used later than now, by more than clocks of machines differ. Then the clock was set back while
    /// nobody looked, and would let the session last longer by as much; or it was ahead when the session was used.
    pub(super) fn is_ahead_of(&self, now_ms: u64) -> bool {
        self.used_ms > now_ms.saturating_add(SKEW_MAX_MS)
    }

    /// The family after its current token was exchanged for `next`; `None` when it had four billion of them.
    pub(super) fn rotated(
        &self,
        next: Hash,
        successor: Box<[u8]>,
        policy: &RefreshPolicy,
        now_ms: u64,
    ) -> Option<Self> {
        let now_ms = self.not_before_last_use(now_ms);
        let mut family = self.changed();
        family.generation = self.generation.checked_add(1)?;
        family.current = Bytes32(next);
        family.previous = Some(Previous {
            hash: self.current.clone(),
            rotated_ms: now_ms,
            until_ms: now_ms.saturating_add(millis(policy.grace)),
            successor: Some(Sealed(successor)),
        });
        family.used_ms = now_ms;
        family.ends_ms = self
            .absolute_ms
            .min(now_ms.saturating_add(millis(policy.idle)));
        Some(family)
    }

    /// The family after its end. It is kept for a while, so that a token of it is known to be revoked.
    pub(super) fn revoked(&self, now_ms: u64) -> Self {
        let mut family = self.changed();
        family.is_revoked = true;
        family.previous = None;
        let forgotten_ms = self
            .not_before_last_use(now_ms)
            .saturating_add(KEPT_REVOKED_MS);
        family.ends_ms = self.ends_ms.min(forgotten_ms);
        family
    }

    /// The family without the sealed successor, if its time has come.
    pub(super) fn wiped(&self, now_ms: u64) -> Option<Self> {
        let is_due = |previous: &Previous| {
            previous.successor.is_some() && self.not_before_last_use(now_ms) >= previous.until_ms
        };
        if !self.previous.as_ref().is_some_and(is_due) {
            return None;
        }
        let mut family = self.changed();
        if let Some(previous) = &mut family.previous {
            previous.successor = None;
        }
        Some(family)
    }

    fn changed(&self) -> Self {
        let mut family = self.clone();
        family.version = self.version.saturating_add(1);
        family
    }

    /// A clock that was set back, or another machine's that is behind, makes nothing younger than it was.
    fn not_before_last_use(&self, now_ms: u64) -> u64 {
        now_ms.max(self.used_ms)
    }
}

impl Previous {
    /// A clock may be behind the one that rotated by no more than the grace: one that was set back further would give a
    /// thief that time.
    fn is_in_grace(&self, policy: &RefreshPolicy, now_ms: u64) -> bool {
        let grace_ms = millis(policy.grace);
        let until_ms = self.until_ms.min(self.rotated_ms.saturating_add(grace_ms));
        self.successor.is_some()
            && now_ms < until_ms
            && now_ms.saturating_add(grace_ms) > self.rotated_ms
    }
}

/// Five minutes: machines whose clocks differ by more cannot use each other's access tokens either.
const SKEW_MAX_MS: u64 = 300_000;
/// Long enough that whoever asks why they were logged out is told; a day.
const KEPT_REVOKED_MS: u64 = 86_400_000;
