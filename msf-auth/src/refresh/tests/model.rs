//! The state machine beside a naive one that remembers everything.

use std::time::Duration;

use proptest::{collection::vec, prelude::*};

use crate::refresh::{
    Family, FamilyId, Grant, RefreshPolicy,
    judge::{Evidence, Verdict},
    text::Hash,
};

#[derive(Clone, Debug)]
enum Op {
    /// The token of so many generations ago; 0 is the current one.
    Present(u32),
    Advance(u64),
    SetBack(u64),
    Revoke,
    Wipe,
    Stranger,
    OtherClient,
}

const POLICY: RefreshPolicy = RefreshPolicy {
    idle: Duration::from_millis(1_000),
    absolute: Duration::from_millis(5_000),
    grace: Duration::from_millis(100),
    families_max: 1,
    wait_max: Duration::from_secs(1),
};
const START_MS: u64 = 1_000_000;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0_u32..4).prop_map(Op::Present),
        4 => (0_u64..160).prop_map(Op::Advance),
        // Where the edges are.
        3 => prop::sample::select(vec![1, 99, 100, 101, 999, 1_000, 1_001, 4_999]).prop_map(Op::Advance),
        2 => (0_u64..300).prop_map(Op::SetBack),
        1 => Just(Op::Revoke),
        2 => Just(Op::Wipe),
        1 => Just(Op::Stranger),
        1 => Just(Op::OtherClient),
    ]
}

/// Every token that there was, by when it was made.
struct Naive {
    made_ms: Vec<u64>,
    is_revoked: bool,
    is_wiped: bool,
}

impl Naive {
    fn expected(&self, back: u32, now_ms: u64) -> Verdict {
        let last_ms = *self.made_ms.last().unwrap();
        let later_ms = now_ms.max(last_ms);
        if self.is_revoked {
            return Verdict::Revoked;
        }
        if later_ms - START_MS >= 5_000 || later_ms - last_ms >= 1_000 {
            return Verdict::Expired;
        }
        let is_near = now_ms.abs_diff(last_ms) < 100;
        match back {
            0 => Verdict::Rotate,
            1 if self.made_ms.len() > 1 && is_near && !self.is_wiped => Verdict::Repeat,
            _ => Verdict::Reused,
        }
    }
}

fn hash(generation: u32) -> Hash {
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&generation.to_be_bytes());
    hash
}

fn judge(family: &Family, generation: u32, client: &str, is_genuine: bool, now_ms: u64) -> Verdict {
    let evidence = Evidence {
        is_genuine,
        generation,
        hash: &hash(generation),
        client: Some(client),
    };
    family.judge(&evidence, &POLICY, now_ms)
}

fn begun() -> Family {
    let grant = Grant::new("7").session("s").client("web");
    let id = FamilyId::from_bytes([1; 16]);
    Family::new(id, grant, [0; 32], hash(1), &POLICY, START_MS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn it_answers_as_one_that_remembers_everything(ops in vec(op(), 1..60)) {
        let mut family = begun();
        let mut naive = Naive { made_ms: vec![START_MS], is_revoked: false, is_wiped: false };
        let mut now_ms = START_MS;
        for op in ops {
            let before = family.clone();
            match op {
                Op::Advance(ms) => now_ms += ms,
                Op::SetBack(ms) => now_ms = now_ms.saturating_sub(ms),
                Op::Stranger => {
                    let verdict = judge(&family, family.generation, "web", false, now_ms);
                    prop_assert_eq!(verdict, Verdict::Unknown);
                }
                Op::OtherClient => {
                    let verdict = judge(&family, family.generation, "app", true, now_ms);
                    prop_assert_eq!(verdict, Verdict::OtherClient);
                }
                Op::Wipe => if let Some(wiped) = family.wiped(now_ms) {
                    family = wiped;
                    naive.is_wiped = true;
                },
                Op::Revoke => {
                    family = family.revoked(now_ms);
                    naive.is_revoked = true;
                }
                Op::Present(back) => {
                    let Some(generation) = family.generation.checked_sub(back).filter(|g| *g > 0) else {
                        continue;
                    };
                    let verdict = judge(&family, generation, "web", true, now_ms);
                    prop_assert_eq!(verdict, naive.expected(back, now_ms), "{:?} at {}", family, now_ms);
                    match verdict {
                        Verdict::Rotate => {
                            let next = hash(family.generation + 1);
                            family = family.rotated(next, [7; 9].into(), &POLICY, now_ms).unwrap();
                            naive.made_ms.push(family.used_ms);
                            naive.is_wiped = false;
                        }
                        Verdict::Reused => {
                            family = family.revoked(now_ms);
                            naive.is_revoked = true;
                        }
                        Verdict::Repeat
                        | Verdict::Expired
                        | Verdict::Revoked
                        | Verdict::OtherClient
                        | Verdict::Unknown => {}
                    }
                }
            }
            // Whatever happens, and whatever the clock says.
            let changed = u64::from(family != before);
            prop_assert_eq!(family.version, before.version + changed);
            prop_assert!(family.generation >= before.generation);
            prop_assert!(family.used_ms >= before.used_ms);
            prop_assert_eq!(family.absolute_ms, START_MS + 5_000);
            prop_assert!(family.ends_ms <= family.absolute_ms);
            prop_assert!(family.is_revoked || !before.is_revoked);
            prop_assert!(Family::decode(&family.encode()).unwrap() == family);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_last_longer(back_ms in 0_u64..10_000, steps in 0_u32..4) {
        let mut family = begun();
        let mut now_ms = START_MS + 500;
        for step in 0..steps {
            family = family.rotated(hash(2 + step), [7; 9].into(), &POLICY, now_ms).unwrap();
        }
        let rotated = family.rotated(hash(2 + steps), [7; 9].into(), &POLICY, now_ms).unwrap();
        now_ms -= back_ms;
        let late = rotated.rotated(hash(3 + steps), [7; 9].into(), &POLICY, now_ms).unwrap();
        prop_assert_eq!(late.ends_ms, rotated.ends_ms);
        prop_assert_eq!(late.used_ms, rotated.used_ms);
        // The grace is not begun anew by it: who is further behind than the grace has none.
        if back_ms >= 100 {
            prop_assert_eq!(judge(&rotated, 1 + steps, "web", true, now_ms), Verdict::Reused);
        }
    }
}

#[test]
fn ends_are_exact_to_the_millisecond() {
    let first = begun();
    assert_eq!(
        judge(&first, 1, "web", true, START_MS + 999),
        Verdict::Rotate
    );
    assert_eq!(
        judge(&first, 1, "web", true, START_MS + 1_000),
        Verdict::Expired
    );
    let second = first
        .rotated(hash(2), [7; 9].into(), &POLICY, START_MS + 1)
        .unwrap();
    assert_eq!(
        judge(&second, 1, "web", true, START_MS + 100),
        Verdict::Repeat
    );
    assert_eq!(
        judge(&second, 1, "web", true, START_MS + 101),
        Verdict::Reused
    );
    assert!(second.wiped(START_MS + 100).is_none());
    assert!(second.wiped(START_MS + 101).is_some());
}

#[test]
fn a_shorter_policy_counts_at_once_and_a_longer_one_does_not() {
    let family = begun();
    let evidence = Evidence {
        is_genuine: true,
        generation: 1,
        hash: &hash(1),
        client: Some("web"),
    };
    let shorter = RefreshPolicy {
        absolute: Duration::from_millis(10),
        ..POLICY
    };
    let verdict = family.judge(&evidence, &shorter, START_MS + 10);
    assert_eq!(verdict, Verdict::Expired);
    let longer = RefreshPolicy {
        absolute: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        ..POLICY
    };
    let verdict = family.judge(&evidence, &longer, START_MS + 1_000);
    assert_eq!(verdict, Verdict::Expired);
    let strict = RefreshPolicy {
        grace: Duration::ZERO,
        ..POLICY
    };
    let rotated = family
        .rotated(hash(2), [7; 9].into(), &POLICY, START_MS)
        .unwrap();
    assert_eq!(rotated.judge(&evidence, &strict, START_MS), Verdict::Reused);
}

#[test]
fn the_last_generation_has_no_successor() {
    let mut family = begun();
    family.generation = u32::MAX;
    assert!(
        family
            .rotated(hash(0), [7; 9].into(), &POLICY, START_MS)
            .is_none()
    );
    // Before the first one there is none: no arithmetic wraps.
    assert_eq!(judge(&family, 0, "web", true, START_MS), Verdict::Reused);
}
