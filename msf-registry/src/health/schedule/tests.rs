//! Against a clock that the test moves.

use std::collections::HashMap;

use msf_core::clock;
use proptest::prelude::*;

use super::*;

const INTERVAL: Duration = Duration::from_secs(10);
const EDGE: Duration = Duration::from_secs(1);
const THRESHOLDS: Thresholds = Thresholds { rise: 2, fall: 3 };
const PACE: Pace = Pace {
    interval: INTERVAL,
    edge: EDGE,
    idle: Some(Duration::from_secs(60)),
    jitter: 0.0,
};

fn target(id: &str, token: u64) -> Target {
    let service = ServiceName::new("payment").unwrap();
    let id = InstanceId::new(id).unwrap();
    Target {
        instance: Arc::new(Instance::new(service, id, ([127, 0, 0, 1], 80).into())),
        token,
        health: Health::Unknown,
        is_idle: false,
    }
}

fn schedule(concurrency: usize) -> Schedule {
    Schedule::new(PACE, THRESHOLDS, concurrency)
}

fn due(schedule: &mut Schedule, now: Instant) -> Vec<Due> {
    std::iter::from_fn(|| schedule.pop(now)).collect()
}

/// Checks the only instance that is due.
fn check(schedule: &mut Schedule, now: Instant, outcome: Outcome) -> Option<Health> {
    let due = schedule.pop(now).expect("one is due");
    schedule.done(due, outcome, now, 0.5)
}

#[test]
fn each_is_checked_once_per_interval() {
    let (mut schedule, start) = (schedule(8), clock::now());
    let targets = || vec![target("a", 1), target("b", 2)];
    schedule.sync(targets(), start, || 0.0);
    let first = due(&mut schedule, start);
    assert_eq!(first.len(), 2);
    assert_eq!(schedule.next_at(), None, "both are being checked");
    for due in first {
        schedule.done(due, Outcome::Passed, start, 0.5);
    }
    schedule.sync(targets(), start, || 0.0);
    assert!(due(&mut schedule, start + INTERVAL / 2).is_empty());
    assert_eq!(due(&mut schedule, start + INTERVAL).len(), 2);
}

#[test]
fn what_speaks_against_the_verdict_is_asked_again_soon() {
    let (mut schedule, now) = (schedule(8), clock::now());
    schedule.sync(vec![target("a", 1)], now, || 0.0);
    assert_eq!(
        check(&mut schedule, now, Outcome::Passed),
        Some(Health::Healthy)
    );
    assert_eq!(schedule.next_at(), Some(now + INTERVAL));
    let now = now + INTERVAL;
    assert_eq!(check(&mut schedule, now, Outcome::Failed), None);
    assert_eq!(schedule.next_at(), Some(now + EDGE));
    assert_eq!(check(&mut schedule, now + EDGE, Outcome::Failed), None);
    let now = now + EDGE * 2;
    let verdict = check(&mut schedule, now, Outcome::Failed);
    assert_eq!(verdict, Some(Health::Unhealthy));
    assert_eq!(schedule.next_at(), Some(now + INTERVAL), "it is settled");
    let now = now + INTERVAL;
    assert_eq!(check(&mut schedule, now, Outcome::Passed), None);
    assert_eq!(schedule.next_at(), Some(now + EDGE));
    assert_eq!(
        check(&mut schedule, now + EDGE, Outcome::Failed),
        None,
        "settled the other way"
    );
    assert_eq!(schedule.next_at(), Some(now + EDGE + INTERVAL));
}

#[test]
fn an_edge_is_never_longer_than_the_interval() {
    let pace = Pace {
        edge: INTERVAL * 5,
        ..PACE
    };
    let (mut schedule, now) = (Schedule::new(pace, THRESHOLDS, 1), clock::now());
    schedule.sync(vec![target("a", 1)], now, || 0.0);
    check(&mut schedule, now, Outcome::Failed);
    assert_eq!(schedule.next_at(), Some(now + INTERVAL));
}

#[test]
fn nobody_calls_so_nobody_asks_until_somebody_does() {
    let (mut schedule, now) = (schedule(8), clock::now());
    let idle = |is_idle| {
        let mut target = target("a", 1);
        target.is_idle = is_idle;
        vec![target]
    };
    schedule.sync(idle(true), now, || 0.0);
    check(&mut schedule, now, Outcome::Passed);
    assert_eq!(schedule.next_at(), Some(now + Duration::from_secs(60)));
    schedule.sync(idle(true), now, || 0.0);
    assert_eq!(schedule.next_at(), Some(now + Duration::from_secs(60)));
    schedule.sync(idle(false), now, || 0.5);
    assert_eq!(schedule.next_at(), Some(now + INTERVAL / 2));
    schedule.sync(idle(false), now, || 0.0);
    assert_eq!(schedule.next_at(), Some(now + INTERVAL / 2), "only once");
    assert_eq!(due(&mut schedule, now + INTERVAL / 2).len(), 1);
}

#[test]
fn whoever_left_is_forgotten_even_while_being_checked() {
    let (mut schedule, start) = (schedule(2), clock::now());
    schedule.sync(vec![target("a", 1), target("b", 2)], start, || 0.0);
    let first = schedule.pop(start).unwrap();
    schedule.sync(Vec::new(), start, || 0.0);
    assert_eq!(schedule.next_at(), None);
    assert_eq!(schedule.done(first, Outcome::Refused, start, 0.5), None);
    assert_eq!(schedule.next_at(), None);
    assert_eq!((schedule.running.all, schedule.running.unproven), (0, 0));
}

#[test]
fn registering_again_makes_nothing_forgotten_and_moving_does() {
    let start = clock::now();
    let moved = |token| {
        let mut target = target("a", token);
        let elsewhere = ([127, 0, 0, 2], 80).into();
        target.instance = Arc::new(Instance::clone(&target.instance).moved_to(elsewhere));
        target
    };
    for (next, left) in [(target("a", 2), 1), (moved(2), 3)] {
        let mut schedule = schedule(8);
        schedule.sync(vec![target("a", 1)], start, || 0.0);
        for n in 0..2 {
            let verdict = check(&mut schedule, start + EDGE * n, Outcome::Failed);
            assert_eq!(verdict, None);
        }
        schedule.sync(vec![next], start + EDGE, || 1.0);
        assert!(schedule.next_at() <= Some(start + EDGE * 2), "not put off");
        for n in 0..left {
            let due = schedule.pop(start + INTERVAL + EDGE * n).unwrap();
            assert_eq!(due.key.token, 2);
            let verdict = schedule.done(due, Outcome::Failed, start + INTERVAL, 0.5);
            assert_eq!(verdict.is_some(), n + 1 == left, "{n}");
        }
    }
}

#[test]
fn whoever_registers_again_while_it_is_checked_gets_the_result() {
    let (mut schedule, start) = (schedule(8), clock::now());
    schedule.sync(vec![target("a", 1)], start, || 0.0);
    let mut now = start;
    for token in 2..5 {
        let under_way = schedule.pop(now).unwrap();
        schedule.sync(vec![target("a", token)], now, || 0.0);
        assert_eq!(schedule.next_at(), None, "it is not checked twice at once");
        let holder = schedule.holder(&under_way).unwrap();
        assert_eq!(holder, target("a", token).key());
        let verdict = schedule.done(under_way, Outcome::Failed, now, 0.5);
        assert_eq!(verdict.is_some(), token == 4, "the third failure");
        now += EDGE;
    }
    // Elsewhere it is another one.
    let under_way = schedule.pop(now + INTERVAL).unwrap();
    let mut moved = target("a", 5);
    let elsewhere = ([127, 0, 0, 2], 80).into();
    moved.instance = Arc::new(Instance::clone(&moved.instance).moved_to(elsewhere));
    schedule.sync(vec![moved], now, || 0.0);
    assert_eq!(schedule.holder(&under_way), None);
    assert_eq!(schedule.done(under_way, Outcome::Refused, now, 0.5), None);
    assert_eq!(schedule.next_at(), Some(now), "it is due by itself");
    assert_eq!((schedule.running.all, schedule.running.unproven), (0, 0));
}

#[test]
fn two_of_one_id_are_both_checked() {
    let (mut schedule, now) = (schedule(8), clock::now());
    schedule.sync(vec![target("a", 1)], now, || 0.0);
    let first = schedule.pop(now).unwrap();
    schedule.sync(vec![target("a", 1), target("a", 2)], now, || 0.0);
    let second = schedule.pop(now).unwrap();
    assert_eq!((first.key.token, second.key.token), (1, 2));
    for due in [first, second] {
        let verdict = schedule.done(due, Outcome::Passed, now, 0.5);
        assert_eq!(verdict, Some(Health::Healthy));
    }
}

#[test]
fn what_could_not_be_made_is_tried_again_soon() {
    let (mut schedule, now) = (schedule(8), clock::now());
    schedule.sync(vec![target("a", 1)], now, || 0.0);
    check(&mut schedule, now, Outcome::Passed);
    let now = now + INTERVAL;
    assert_eq!(check(&mut schedule, now, Outcome::Impeded), None);
    assert_eq!(schedule.next_at(), Some(now + EDGE));
}

#[test]
fn the_dead_do_not_make_the_living_wait() {
    let (mut schedule, now) = (schedule(4), clock::now());
    let names: Vec<String> = (0..20).map(|n| format!("i-{n:02}")).collect();
    let targets: Vec<Target> = names.iter().map(|name| target(name, 1)).collect();
    schedule.sync(targets, now, || 0.0);
    // The last one is the only one that works.
    let mut now = now;
    for _ in 0..20 {
        let due = schedule.pop(now).unwrap();
        let outcome = if due.key.id.as_str() == "i-19" {
            Outcome::Passed
        } else {
            Outcome::Refused
        };
        schedule.done(due, outcome, now, 0.5);
    }
    now += INTERVAL;
    let running = due(&mut schedule, now);
    let proven = |due: &Due| due.key.id.as_str() == "i-19";
    assert_eq!(
        running.len(),
        4,
        "three that are dead, and the one that works"
    );
    assert_eq!(running.iter().filter(|due| proven(due)).count(), 1);
}

#[test]
fn whoever_waits_longest_is_next() {
    let (mut schedule, now) = (schedule(1), clock::now());
    let targets: Vec<Target> = ["c", "a", "b"].iter().map(|id| target(id, 1)).collect();
    let mut at = [0.3, 0.1, 0.2].into_iter();
    schedule.sync(targets, now, || at.next().unwrap());
    let mut order = Vec::new();
    for _ in 0..3 {
        let due = schedule.pop(now + INTERVAL).unwrap();
        assert!(schedule.pop(now + INTERVAL).is_none(), "there is one place");
        order.push(due.key.id.to_string());
        schedule.done(due, Outcome::Passed, now + INTERVAL, 0.5);
    }
    assert_eq!(order, ["a", "b", "c"]);
}

proptest! {
    /// Against a list of times: never too early, never more than there are places, and nobody who is due and has a
    /// place is left out.
    #[test]
    fn it_does_what_a_list_would(
        concurrency in 1_usize..6,
        steps in proptest::collection::vec((0_u8..4, 0_usize..6, 0_u64..3_000, any::<bool>()), 1..200),
    ) {
        let mut schedule = schedule(concurrency);
        let mut now = clock::now();
        let mut listed: Vec<usize> = Vec::new();
        let mut running: Vec<Due> = Vec::new();
        let mut not_before: HashMap<String, Instant> = HashMap::new();
        for (action, which, pause, passes) in steps {
            now += Duration::from_millis(pause);
            match action {
                0 => {
                    if let Some(at) = listed.iter().position(|n| *n == which) {
                        listed.remove(at);
                        not_before.remove(&format!("i-{which}"));
                    } else {
                        listed.push(which);
                    }
                    let targets = listed.iter().map(|n| target(&format!("i-{n}"), 1)).collect();
                    schedule.sync(targets, now, || 0.0);
                }
                1 | 2 => while let Some(due) = schedule.pop(now) {
                    let id = due.key.id.to_string();
                    prop_assert!(not_before.get(&id).is_none_or(|at| *at <= now), "{id} is early");
                    running.push(due);
                    prop_assert!(running.len() <= concurrency);
                },
                _ if !running.is_empty() => {
                    let due = running.remove(which % running.len());
                    let id = due.key.id.to_string();
                    let outcome = if passes { Outcome::Passed } else { Outcome::Failed };
                    let entry = schedule.checked.get(&due.key).map(|checked| checked.entry);
                    let is_current = entry == Some(due.entry);
                    schedule.done(due, outcome, now, 0.5);
                    if is_current {
                        not_before.insert(id, now + EDGE);
                    }
                }
                _ => {}
            }
            if running.is_empty() {
                // With every place free, whoever is due is next.
                let first = schedule.checked.values().filter_map(|c| c.next_at).min();
                prop_assert_eq!(schedule.next_at(), first);
            }
            let queued = schedule.proven.len() + schedule.unproven.len();
            let waiting = schedule.checked.values().filter(|c| c.next_at.is_some()).count();
            prop_assert_eq!(queued, waiting);
            prop_assert_eq!(schedule.running.all, running.len());
        }
    }
}
