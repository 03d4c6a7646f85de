//! What was answered lately, by the hash of the token.

use std::{sync::Arc, time::Duration};

use quick_cache::{Weighter, sync::Cache};
use tokio::time::Instant;

use crate::{
    principal::Principal,
    verify::{Reason, VouchedFor},
};

/// SHA-256 of a whole token: parts of one can be the same, and a signature can be changed.
pub(super) type Digest = [u8; 32];

/// Answers, the good ones apart from the bad ones.
#[derive(Debug)]
pub(super) struct Answers {
    good: Cache<Digest, Good, Weight>,
    bad: Cache<Digest, Bad>,
    ttl: Duration,
}

#[derive(Clone, Debug)]
struct Good {
    principal: Arc<Principal>,
    until: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Bad {
    reason: Reason,
    until: Instant,
}

/// As that of verified tokens.
const GOOD_BYTES_MAX: u64 = 16 << 20;
/// A caller above this is asked about each time: one must not take the place of a hundred.
const GOOD_ENTRY_BYTES_MAX: usize = crate::cache::ENTRY_BYTES_MAX;
/// Claims of 300 bytes, and what they would take if all were asked for.
const GOOD_ENTRY_BYTES_USUAL: u64 = 2_048;
/// The hash, the times, and the places in the map and in the queue.
const OVERHEAD_BYTES: usize = 200;
/// Less than a hundred bytes each; anybody can make them.
const BAD_MAX: usize = 4_096;
/// A token can become good, when the issuer's replicas learn of it one after another.
const BAD_TTL_MAX: Duration = Duration::from_secs(5);

impl Answers {
    pub(super) fn new(ttl: Duration) -> Self {
        Self {
            good: Cache::with_weighter(
                usize::try_from(GOOD_BYTES_MAX / GOOD_ENTRY_BYTES_USUAL).unwrap_or(usize::MAX),
                GOOD_BYTES_MAX,
                Weight,
            ),
            bad: Cache::new(BAD_MAX),
            ttl,
        }
    }

    /// What is known: of a good answer the end of the token by the wall clock and that of the answer by the monotonic
    /// one are looked at each time, so that no clock that is set back makes one last longer.
    pub(super) fn find(
        &self,
        digest: &Digest,
        vouched_for: &VouchedFor,
        now: Instant,
        now_s: u64,
    ) -> Option<Result<Arc<Principal>, Reason>> {
        if let Some(good) = self.good.get(digest) {
            if now < good.until && vouched_for.is_alive(&good.principal, now_s) {
                return Some(Ok(good.principal));
            }
            self.good.remove(digest);
        }
        let bad = self.bad.get(digest)?;
        if now < bad.until {
            return Some(Err(bad.reason));
        }
        self.bad.remove(digest);
        None
    }

    /// Keeps what was answered to a question of `asked_at`; what could not be answered is not kept.
    pub(super) fn keep(
        &self,
        digest: Digest,
        outcome: &Result<Arc<Principal>, Reason>,
        asked_at: Instant,
    ) {
        match outcome {
            Ok(principal) => {
                self.bad.remove(&digest);
                if bytes_of(principal) > GOOD_ENTRY_BYTES_MAX {
                    self.good.remove(&digest);
                    return;
                }
                let principal = principal.clone();
                let until = asked_at + self.ttl;
                self.good.insert(digest, Good { principal, until });
            }
            Err(Reason::IssuerUnavailable) => {}
            Err(reason) => {
                self.good.remove(&digest);
                let (reason, until) = (*reason, asked_at + self.ttl.min(BAD_TTL_MAX));
                self.bad.insert(digest, Bad { reason, until });
            }
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.good.len() + self.bad.len()
    }
}

fn bytes_of(principal: &Principal) -> usize {
    principal.bytes_max() + OVERHEAD_BYTES
}

#[derive(Clone, Copy, Debug)]
struct Weight;

impl Weighter<Digest, Good> for Weight {
    fn weight(&self, _: &Digest, good: &Good) -> u64 {
        u64::try_from(bytes_of(&good.principal)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{KeySet, TrustedIssuer};

    const NOW_S: u64 = 1_800_000_000;
    const TTL: Duration = Duration::from_secs(10);

    fn vouched_for() -> VouchedFor {
        let issuer = TrustedIssuer::new("i", KeySet::default()).audience("shop");
        VouchedFor::new(issuer, Duration::from_secs(30), Duration::from_secs(86_400)).unwrap()
    }

    fn principal(expires_s: u64) -> Arc<Principal> {
        let json = json!({ "iss": "i", "aud": "shop", "sub": "7", "exp": expires_s }).to_string();
        Arc::new(vouched_for().principal(json.as_bytes(), NOW_S).unwrap())
    }

    #[test]
    fn an_answer_counts_for_its_time_and_no_longer_than_the_token() {
        let (answers, rules, now) = (Answers::new(TTL), vouched_for(), Instant::now());
        answers.keep([1; 32], &Ok(principal(NOW_S + 300)), now);
        let find = |after: Duration, now_s| answers.find(&[1; 32], &rules, now + after, now_s);
        assert!(find(TTL - Duration::from_millis(1), NOW_S).is_some());
        // The wall clock stands still or goes back: the other one counts.
        assert_eq!(find(TTL, NOW_S - 1_000), None);

        answers.keep([1; 32], &Ok(principal(NOW_S + 300)), now);
        assert_eq!(find(Duration::ZERO, NOW_S + 330), None);
        assert_eq!(answers.len(), 0);
    }

    #[test]
    fn a_refusal_counts_for_five_seconds_at_most() {
        for (ttl_s, bad_s) in [(10, 5), (30, 5), (2, 2)] {
            let answers = Answers::new(Duration::from_secs(ttl_s));
            let (rules, now) = (vouched_for(), Instant::now());
            answers.keep([1; 32], &Err(Reason::Inactive), now);
            let find = |after_s| {
                let after = Duration::from_secs(after_s);
                answers.find(&[1; 32], &rules, now + after, NOW_S)
            };
            assert_eq!(find(bad_s - 1), Some(Err(Reason::Inactive)));
            assert_eq!(find(bad_s), None);
        }
    }

    #[test]
    fn the_last_answer_counts_and_none_is_no_answer() {
        let (answers, rules, now) = (Answers::new(TTL), vouched_for(), Instant::now());
        let find = || answers.find(&[1; 32], &rules, now, NOW_S);
        answers.keep([1; 32], &Err(Reason::IssuerUnavailable), now);
        assert_eq!(find(), None);
        answers.keep([1; 32], &Ok(principal(NOW_S + 300)), now);
        answers.keep([1; 32], &Err(Reason::IssuerUnavailable), now);
        assert!(matches!(find(), Some(Ok(_))));
        answers.keep([1; 32], &Err(Reason::Inactive), now);
        assert_eq!(find(), Some(Err(Reason::Inactive)));
        answers.keep([1; 32], &Ok(principal(NOW_S + 300)), now);
        assert!(matches!(find(), Some(Ok(_))));
    }

    #[test]
    fn callers_are_bounded_in_bytes_whatever_is_said_about_them() {
        let (answers, rules, now) = (Answers::new(TTL), vouched_for(), Instant::now());
        let described = |bytes: usize| {
            let json = json!({
                "iss": "i", "aud": "shop", "sub": "7", "exp": NOW_S + 300, "note": "x".repeat(bytes),
            });
            let principal = rules.principal(json.to_string().as_bytes(), NOW_S);
            Ok(Arc::new(principal.unwrap()))
        };
        let long = described(6_000);
        for number in 0..10_000_u32 {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            answers.keep(digest, &long, now);
        }
        assert!(answers.good.weight() <= GOOD_BYTES_MAX);
        assert!(answers.good.len() > 500, "{}", answers.good.len());

        answers.keep([1; 32], &Ok(principal(NOW_S + 300)), now);
        answers.keep([1; 32], &described(16 * 1_024), now);
        assert_eq!(answers.find(&[1; 32], &rules, now, NOW_S), None);
    }

    #[test]
    fn a_flood_of_bad_tokens_displaces_no_good_one() {
        let (answers, rules, now) = (Answers::new(TTL), vouched_for(), Instant::now());
        answers.keep([255; 32], &Ok(principal(NOW_S + 300)), now);
        for number in 0..20_000_u32 {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            answers.keep(digest, &Err(Reason::Inactive), now);
        }
        assert!(
            answers.len() <= BAD_MAX + 1 + BAD_MAX / 10,
            "{}",
            answers.len()
        );
        assert!(matches!(
            answers.find(&[255; 32], &rules, now, NOW_S),
            Some(Ok(_))
        ));
    }
}
