//! The machine and the manifest against what has to be true of them.

use std::time::Duration;

use proptest::{collection, prelude::*};

use super::{
    KeyState, RotationPolicy, manifest,
    policy::KEYS_MAX,
    state::{Ring, Stage},
};
use crate::algorithm::Algorithm;

const NOW_S: u64 = 1_800_000_000;

fn policy() -> RotationPolicy {
    RotationPolicy::default()
        .period(Duration::from_secs(1_000))
        .staging(Duration::from_secs(500))
        .token_ttl_max(Duration::from_secs(300))
        .jwks_max_age(Duration::from_secs(100))
        .skew(Duration::from_secs(20))
        .reload(Duration::from_secs(10))
}

fn id(n: u32) -> Box<str> {
    format!("{n:0>43}").into()
}

fn ring() -> Ring {
    let mut ring = Ring::new(id(0), Algorithm::EdDsa, NOW_S);
    ring.stage(id(1), Algorithm::EdDsa, NOW_S);
    ring
}

/// What the shell does with the machine.
fn rotate(ring: &mut Ring, now_s: u64, made: &mut u32) {
    ring.advance(&policy(), now_s);
    if ring.wants_key() {
        *made += 1;
        ring.stage(id(*made), Algorithm::EdDsa, now_s);
    }
}

fn stage_of(ring: &Ring, id: &str) -> Option<KeyState> {
    let mut keys = ring.keys.iter();
    keys.find(|entry| &*entry.id == id)
        .map(|entry| entry.stage.state())
}

#[test]
fn a_ring_that_is_full_takes_no_key_and_turns_no_further() {
    let mut ring = ring();
    // One more is staged and ready, and all others are retired but have not ended.
    while ring.keys.len() < KEYS_MAX {
        let made = u32::try_from(ring.keys.len()).unwrap();
        ring.stage(id(made), Algorithm::EdDsa, NOW_S);
    }
    let until_s = NOW_S + 1_000_000;
    for entry in &mut ring.keys[2..] {
        entry.stage = Stage::Retired { until_s };
    }
    let full = ring.clone();
    assert_eq!(ring.hand_over(&policy(), NOW_S + 1_000), []);
    assert_eq!(ring, full);
    ring.keys.pop();
    assert_eq!(ring.hand_over(&policy(), NOW_S + 1_000).len(), 2);
    // Now none is staged.
    assert!(ring.wants_key());
    ring.keys.push(full.keys[KEYS_MAX - 1].clone());
    assert!(!ring.wants_key());
}

#[test]
fn a_key_goes_through_its_states_in_time() {
    let mut ring = ring();
    let mut made = 1;
    rotate(&mut ring, NOW_S + 999, &mut made);
    assert_eq!(stage_of(&ring, &id(0)), Some(KeyState::Active));
    assert_eq!(stage_of(&ring, &id(1)), Some(KeyState::Staged));

    rotate(&mut ring, NOW_S + 1_000, &mut made);
    assert_eq!(stage_of(&ring, &id(0)), Some(KeyState::Retired));
    assert_eq!(stage_of(&ring, &id(1)), Some(KeyState::Active));
    assert_eq!(stage_of(&ring, &id(2)), Some(KeyState::Staged));

    // A token of the last second, by a process that had not looked yet: 300 + 20 + 10.
    rotate(&mut ring, NOW_S + 1_329, &mut made);
    assert_eq!(stage_of(&ring, &id(0)), Some(KeyState::Retired));
    rotate(&mut ring, NOW_S + 1_330, &mut made);
    assert_eq!(stage_of(&ring, &id(0)), None);
    assert_eq!(made, 2);
}

#[test]
fn a_key_that_was_not_published_for_long_enough_does_not_sign() {
    let mut ring = Ring::new(id(0), Algorithm::EdDsa, NOW_S);
    ring.stage(id(1), Algorithm::EdDsa, NOW_S + 900);
    assert!(ring.advance(&policy(), NOW_S + 1_399).is_empty());
    assert_eq!(ring.advance(&policy(), NOW_S + 1_400).len(), 2);
}

#[test]
fn a_revoked_key_is_gone_and_the_staged_one_signs() {
    let mut ring = ring();
    let changes = ring.revoke(&id(0), NOW_S).unwrap();
    assert_eq!(
        (changes[0].state, changes[0].revoked),
        (KeyState::Gone, true)
    );
    assert_eq!(
        (changes[1].state, changes[1].revoked),
        (KeyState::Active, false)
    );
    assert_eq!(stage_of(&ring, &id(0)), None);
    assert_eq!(ring.active().unwrap().id, id(1));
    assert!(ring.wants_key());
    assert!(ring.revoke(&id(0), NOW_S).is_err());
}

#[test]
fn a_clock_that_was_ahead_holds_nothing_up() {
    let mut ring = Ring::new(id(0), Algorithm::EdDsa, NOW_S + 1_000_000);
    ring.stage(id(1), Algorithm::EdDsa, NOW_S + 1_000_000);
    ring.keys.push(super::state::Entry {
        stage: Stage::Retired {
            until_s: NOW_S + 1_000_000,
        },
        id: id(2),
        ..ring.keys[1].clone()
    });
    ring.advance(&policy(), NOW_S);
    assert_eq!(ring.keys[0].stage, Stage::Active { since_s: NOW_S });
    assert_eq!(ring.keys[1].stage, Stage::Staged { since_s: NOW_S });
    let until_s = NOW_S + 330;
    assert_eq!(ring.keys[2].stage, Stage::Retired { until_s });
    // Clocks that differ by less change nothing.
    assert!(ring.advance(&policy(), NOW_S - 20).is_empty());
    assert_eq!(ring.keys[0].stage, Stage::Active { since_s: NOW_S });
}

#[test]
fn a_machine_that_does_not_know_the_time_yet_ends_no_key() {
    let mut ring = ring();
    ring.advance(&policy(), NOW_S + 1_000);
    let before = ring.clone();
    for now_s in [0, 60, 86_400 * 365] {
        assert!(ring.advance(&policy(), now_s).is_empty());
        assert_eq!(ring, before);
    }
    // The last token of the retired key has not ended.
    ring.advance(&policy(), NOW_S + 1_329);
    assert_eq!(stage_of(&ring, &id(0)), Some(KeyState::Retired));
}

#[derive(Clone, Debug)]
enum Step {
    /// The clock moves, also back.
    Wait(i64),
    Rotate,
    Early,
    Revoke(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (-2_000_i64..2_000).prop_map(Step::Wait),
        Just(Step::Rotate),
        Just(Step::Early),
        (0_usize..4).prop_map(Step::Revoke),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_one_key_signs_and_the_set_stays_small(
        steps in collection::vec(step(), 0..80),
    ) {
        let (mut ring, mut made, mut now_s) = (ring(), 1, NOW_S);
        for step in steps {
            match step {
                Step::Wait(by_s) => now_s = now_s.saturating_add_signed(by_s),
                Step::Rotate => rotate(&mut ring, now_s, &mut made),
                Step::Early => {
                    ring.hand_over(&policy(), now_s);
                    rotate(&mut ring, now_s, &mut made);
                }
                Step::Revoke(at) => {
                    rotate(&mut ring, now_s, &mut made);
                    let key = ring.keys[at % ring.keys.len()].id.clone();
                    prop_assert!(ring.revoke(&key, now_s).is_ok());
                    rotate(&mut ring, now_s, &mut made);
                    prop_assert!(stage_of(&ring, &key).is_none());
                }
            }
            let active = ring.keys.iter();
            let active = active.filter(|entry| matches!(entry.stage, Stage::Active { .. }));
            prop_assert_eq!(active.count(), 1);
            prop_assert!(ring.keys.len() <= KEYS_MAX);
            prop_assert_eq!(manifest::read(manifest::write(&ring).as_bytes()), Ok(ring.clone()));
        }
    }

    /// By a clock that only moves forward: no token is refused because of its key, and no key signs unannounced.
    #[test]
    fn a_token_outlives_no_key(waits in collection::vec(1_u64..700, 1..60), ttl_s in 1_u64..=300) {
        let (mut ring, mut made, mut now_s) = (ring(), 1, NOW_S);
        let mut published = std::collections::HashMap::from([(id(1), NOW_S)]);
        let mut tokens: Vec<(Box<str>, u64)> = Vec::new();
        for wait_s in waits {
            // Signed by a process that has not looked for `reload`, when the keys change.
            let signer = ring.active().unwrap().id.clone();
            now_s += wait_s;
            rotate(&mut ring, now_s, &mut made);
            for entry in &ring.keys {
                published.entry(entry.id.clone()).or_insert(now_s);
            }
            let late_s = now_s + 10;
            tokens.push((signer, late_s + ttl_s));
            for (key, expires_s) in &tokens {
                prop_assert!(now_s >= *expires_s || stage_of(&ring, key).is_some());
            }
            let active = ring.active().unwrap();
            if let (Stage::Active { since_s }, true) = (active.stage, *active.id != *id(0)) {
                prop_assert!(since_s >= published[&active.id] + 500);
            }
        }
    }

    #[test]
    fn no_manifest_panics(text in "\\PC{0,200}", bytes in collection::vec(any::<u8>(), 0..200)) {
        let _ = manifest::read(text.as_bytes());
        let _ = manifest::read(&bytes);
    }
}

#[test]
fn a_manifest_that_was_not_written_here_is_refused() {
    let good = manifest::write(&ring());
    assert!(manifest::read(good.as_bytes()).is_ok());
    let (first, second) = (id(0), id(1));
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2"),
        ("\"active\"", "\"staged\""),
        ("\"staged\"", "\"active\""),
        ("\"staged\"", "\"retired\""),
        ("\"staged\"", "\"gone\""),
        ("\"EdDSA\"", "\"HS256\""),
        ("\"since\"", "\"until\""),
        ("\"since\"", "\"more\": 1, \"since\""),
        ("signing-key.pem", "../signing-key.pem"),
        ("signing-key.pem", "/etc/passwd"),
        (&*first, "../../../../../../../../../../../etc/passwd0"),
        (&*first, "short"),
        (&*second, &*first),
        ("1800000000", "253402300800"),
        ("1800000000", "-1"),
        ("\"generation\": 0", "\"generation\": -1"),
        ("\n}", ""),
    ] {
        assert!(good.contains(from), "{from} in {good}");
        let bad = good.replace(from, to);
        assert!(manifest::read(bad.as_bytes()).is_err(), "{bad}");
    }
}
