//! What becomes of leases when renewals stop arriving.

use std::time::Duration;

use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
};
use proptest::prelude::*;
use tokio::time::Instant;

use super::super::{
    SelfPreservation,
    state::{PULSE, State},
};
use crate::model::{Authority, Health, Instance};

const TTL: Duration = Duration::from_secs(15);
const HOLD: Duration = Duration::from_secs(600);

fn service(n: usize) -> ServiceName {
    ServiceName::new(format!("s-{n}")).unwrap()
}

fn id(n: usize) -> InstanceId {
    InstanceId::new(format!("i-{n:03}")).unwrap()
}

/// A state, and the instances `n` of services `s` with the token `1000 s + n`.
struct Field {
    state: State,
    now: Instant,
}

impl Field {
    fn new() -> Self {
        let now = clock::now();
        let state = State::new(7, now, Duration::ZERO, 10_000, SelfPreservation::new());
        Self { state, now }
    }

    fn register(&mut self, s: usize, count: usize) {
        for n in 0..count {
            let port = u16::try_from(1 + n).unwrap();
            let instance = Instance::new(service(s), id(n), ([127, 0, 0, 1], port).into());
            let token = (1_000 * s + n) as u64;
            self.state.register(instance, token, TTL, self.now).unwrap();
        }
    }

    fn renew(&mut self, s: usize, n: usize) -> bool {
        let token = (1_000 * s + n) as u64;
        self.state
            .renew(&service(s), &id(n), token, self.now)
            .is_some()
    }

    fn check(&mut self, s: usize, n: usize, health: Health) -> bool {
        let token = (1_000 * s + n) as u64;
        self.state
            .set_health(&service(s), &id(n), token, health, self.now)
    }

    fn listed(&mut self, s: usize) -> usize {
        self.state
            .view(&service(s), self.now)
            .snapshot()
            .instances()
            .len()
    }

    /// Lets time pass in steps of a second while some renew every five.
    fn pass(&mut self, seconds: u64, renewing: &[(usize, usize)]) {
        for second in 0..seconds {
            self.now += Duration::from_secs(1);
            if second % 5 == 4 {
                for (s, n) in renewing {
                    assert!(
                        self.renew(*s, *n),
                        "instance {n} of service {s} is forgotten"
                    );
                }
            }
        }
    }
}

fn all(s: usize, count: usize) -> Vec<(usize, usize)> {
    (0..count).map(|n| (s, n)).collect()
}

#[test]
fn instances_that_die_one_by_one_go_at_their_time() {
    let mut field = Field::new();
    field.register(1, 6);
    for alive in (1..6).rev() {
        field.pass(14, &all(1, alive));
        assert_eq!(field.listed(1), alive + 1);
        field.pass(1, &[]);
        assert_eq!(field.listed(1), alive, "it died {TTL:?} ago");
        field.pass(5, &all(1, alive));
    }
}

#[test]
fn a_network_that_fails_takes_nobody_away_and_the_hold_ends() {
    let mut field = Field::new();
    field.register(1, 20);
    field.pass(20, &all(1, 20));
    let mut before = 20;
    let mut gone_at = None;
    for second in 0..900 {
        field.pass(1, &[]);
        let listed = field.listed(1);
        if second < HOLD.as_secs() {
            assert_eq!(listed, 20, "after {second} s");
        }
        assert!(
            before - listed <= 3,
            "{before} became {listed} in one sweep"
        );
        before = listed;
        if listed == 0 && gone_at.is_none() {
            gone_at = Some(second);
        }
    }
    let gone_at = gone_at.expect("it ended");
    assert!(
        (HOLD.as_secs()..HOLD.as_secs() + 120).contains(&gone_at),
        "{gone_at}"
    );
    let tally = field.state.tally();
    assert_eq!(tally.expired + tally.overstayed, 20);
    assert!(tally.expired <= 3, "fewer than four are not preserved");
}

#[test]
fn what_goes_after_the_hold_is_no_matter_of_names() {
    let mut field = Field::new();
    field.register(1, 40);
    field.pass(HOLD.as_secs() + 15, &[]);
    let view = field.state.view(&service(1), field.now);
    let left = view.snapshot().instances();
    assert!(left.len() < 40 && left.len() > 30, "{}", left.len());
    let last: Vec<bool> = (0..40)
        .map(|n| left.iter().any(|m| m.instance.id == id(n)))
        .collect();
    assert!(
        last.iter().take(40 - left.len()).any(|is| *is),
        "the first ones went: {last:?}"
    );
}

#[test]
fn renewals_that_come_back_end_the_hold() {
    let mut field = Field::new();
    field.register(1, 10);
    field.pass(60, &[]);
    assert_eq!(field.listed(1), 10);
    assert_eq!(field.state.preserved(field.now), (vec![service(1)], false));
    // All but one come back; that one goes.
    for n in 0..9 {
        assert!(field.renew(1, n));
    }
    field.pass(6, &all(1, 9));
    assert_eq!(field.listed(1), 9);
    assert_eq!(field.state.preserved(field.now), (vec![], false));
}

#[test]
fn a_check_refutes_a_lease_unless_every_check_fails() {
    let mut field = Field::new();
    field.register(1, 10);
    field.register(2, 1);
    field.pass(30, &[(2, 0)]);
    assert_eq!(field.listed(1), 10);
    assert!(field.check(1, 3, Health::Unhealthy));
    assert_eq!(field.listed(1), 10, "the checks may not get through either");
    assert!(field.check(2, 0, Health::Healthy));
    field.pass(1, &[]);
    assert!(field.check(1, 4, Health::Unhealthy));
    assert_eq!(field.listed(1), 8);
    assert_eq!(field.state.tally().refuted, 2);
}

#[test]
fn the_whole_registry_is_preserved_when_many_small_services_fall_silent() {
    let mut field = Field::new();
    for s in 0..8 {
        field.register(s, 2);
    }
    field.pass(60, &[]);
    assert!((0..8).all(|s| field.listed(s) == 2));
    assert_eq!(field.state.preserved(field.now), (vec![], true));
    let everybody: Vec<_> = (0..8).flat_map(|s| all(s, 2)).collect();
    field.pass(20, &everybody);
    assert_eq!(field.state.preserved(field.now), (vec![], false));
    field.pass(60, &[]);
    assert_eq!(field.state.preserved(field.now), (vec![], true));
    field.pass(HOLD.as_secs(), &[]);
    assert!((0..8).all(|s| field.listed(s) == 0), "it ends");
}

#[test]
fn the_next_outage_finds_the_whole_registry_armed() {
    let mut field = Field::new();
    let everybody: Vec<_> = (0..8).flat_map(|s| all(s, 2)).collect();
    for s in 0..8 {
        field.register(s, 2);
    }
    // Nobody asks for metrics: renewals alone end the hold.
    field.pass(60, &[]);
    assert!((0..8).all(|s| field.listed(s) == 2));
    field.pass(HOLD.as_secs() + 60, &everybody);
    field.pass(60, &[]);
    let listed: Vec<usize> = (0..8).map(|s| field.listed(s)).collect();
    assert_eq!(listed, [2; 8], "the second outage");
}

#[test]
fn a_registry_that_holds_again_and_again_holds_no_lease_for_ever() {
    let mut field = Field::new();
    for s in 0..5 {
        field.register(s, 2);
    }
    // The pair of service 0 is dead. Others are late by turns, so that every sweep finds two services with
    // somebody late, and yet every five minutes there is a moment at which renewals are normal.
    let mut gone_at = None;
    for second in 0..HOLD.as_secs() * 3 {
        let phase = second % 300;
        if second % 5 == 4 {
            for (s, n) in [(1, 1), (2, 1), (3, 0), (3, 1), (4, 0), (4, 1)] {
                assert!(field.renew(s, n));
            }
        }
        if matches!(phase, 1 | 2) {
            assert!(field.renew(1, 0), "at {second} s");
        }
        if second % 5 == 1 && phase != 1 {
            assert!(field.renew(2, 0), "at {second} s");
        }
        if phase == 3 {
            field.state.preserved(field.now);
        }
        if second % 5 == 0 && field.listed(0) == 0 {
            gone_at = Some(second);
            break;
        }
        field.now += Duration::from_secs(1);
    }
    let end = (HOLD + TTL).as_secs();
    assert!(
        gone_at.is_some_and(|at| (end..=end + 10).contains(&at)),
        "{gone_at:?}"
    );
}

#[test]
fn one_pair_that_dies_is_no_matter_of_the_whole_registry() {
    let mut field = Field::new();
    let alive: Vec<_> = (0..8).flat_map(|s| all(s, 2)).collect();
    for s in 0..9 {
        field.register(s, 2);
    }
    field.pass(15, &alive);
    assert_eq!(field.listed(8), 0);
    assert_eq!(field.listed(0), 2);
}

#[test]
fn whoever_renews_at_a_slow_pace_is_not_taken_for_late() {
    let mut field = Field::new();
    field.register(1, 8);
    for round in 0..6 {
        field.pass(12, &[]);
        for n in 0..7 {
            assert!(field.renew(1, n));
        }
        if round == 0 {
            assert!(field.renew(1, 7));
        }
    }
    assert_eq!(
        field.listed(1),
        7,
        "the one that stopped is gone although all are slow"
    );
}

#[test]
fn a_process_that_stood_still_expires_nobody_for_it() {
    let mut field = Field::new();
    field.register(1, 2);
    for _ in 0..10 {
        field.now += PULSE;
        field.state.pulse(field.now);
    }
    assert!(field.renew(1, 0));
    // Whoever comes first notices; here the pulse comes last.
    field.now += Duration::from_secs(3_600);
    assert_eq!(field.listed(1), 2);
    assert!(field.renew(1, 0));
    field.state.pulse(field.now);
    assert_eq!(field.state.tally().pauses, 1);
    // The other had five seconds left, and has them again but for one pulse.
    for expected in [2, 2, 2, 1] {
        field.now += PULSE;
        field.state.pulse(field.now);
        assert_eq!(field.listed(1), expected);
    }
}

#[test]
fn a_late_pulse_of_a_process_that_works_is_no_pause() {
    let mut field = Field::new();
    field.register(1, 2);
    field.state.pulse(field.now);
    for _ in 0..TTL.as_secs() {
        field.now += Duration::from_secs(1);
        assert!(field.renew(1, 0));
    }
    assert_eq!(field.state.tally().pauses, 0);
    assert_eq!(field.listed(1), 1, "the other one's time is over");
}

#[test]
fn doubt_does_not_end_while_the_process_stands_still() {
    let mut field = Field::new();
    field.register(1, 1);
    for _ in 0..TTL.as_secs() {
        field.now += PULSE;
        field.state.pulse(field.now);
    }
    let authority = |field: &mut Field| {
        let view = field.state.view(&service(1), field.now);
        view.snapshot().authority()
    };
    assert_eq!(field.listed(1), 0);
    field.now += Duration::from_secs(3_600);
    assert_eq!(authority(&mut field), Authority::Complete);
    for _ in 0..30 {
        field.now += PULSE;
        field.state.pulse(field.now);
    }
    assert_eq!(authority(&mut field), Authority::Explicit);
}

#[test]
fn a_pulse_that_ends_prolongs_once_and_not_for_ever() {
    let mut field = Field::new();
    field.state.pulse(field.now);
    field.register(1, 1);
    let mut lived = 0;
    while field.listed(1) == 1 {
        field.now += Duration::from_secs(10);
        lived += 10;
        assert!(lived < 60, "it lives for ever");
    }
}

proptest! {
    /// Whatever happens: who holds a lease is listed; nobody who does not is listed for longer than the
    /// hold and its sweeps; and a service too small to be preserved loses its dead at their time.
    #[test]
    fn the_living_stay_and_the_dead_go(
        count in 1_usize..30,
        steps in proptest::collection::vec((0_u64..30, any::<u32>()), 1..120),
    ) {
        let mut field = Field::new();
        field.register(1, count);
        let mut expires: Vec<Instant> = vec![field.now + TTL; count];
        for (seconds, renewing) in steps {
            field.now += Duration::from_secs(seconds);
            let view = field.state.view(&service(1), field.now);
            let listed: Vec<&InstanceId> =
                view.snapshot().instances().iter().map(|m| &m.instance.id).collect();
            for (n, end) in expires.iter().enumerate() {
                let is_listed = listed.contains(&&id(n));
                if *end > field.now {
                    prop_assert!(is_listed, "{n} lives");
                } else if count < 4 {
                    prop_assert!(!is_listed, "{n} is dead");
                } else if field.now >= *end + HOLD + TTL + Duration::from_secs(200) {
                    prop_assert!(!is_listed, "{n} is long dead");
                }
            }
            for (n, end) in expires.iter_mut().enumerate() {
                let is_listed = listed.contains(&&id(n));
                if renewing >> (n % 32) & 1 == 1 {
                    prop_assert_eq!(field.renew(1, n), is_listed);
                    if is_listed { *end = field.now + TTL; }
                }
            }
        }
    }
}
