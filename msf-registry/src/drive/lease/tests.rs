//! The ledger without time or registry; then against a registry that is a map.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
};
use proptest::prelude::*;
use tokio::time::Instant;

use super::{
    entry::Stage,
    ledger::{Call, Duplicate, Ledger, Number, Put, Taken},
};
use crate::{
    error::RegistryError,
    model::{Instance, Lease, Renewal, Status},
};

const TTL: Duration = Duration::from_secs(15);
const END: Duration = Duration::from_secs(3);
const MS: Duration = Duration::from_millis(1);

fn instance(n: u16) -> Instance {
    let service = ServiceName::new("payment").unwrap();
    let id = InstanceId::new(format!("p-{n}")).unwrap();
    Instance::new(service, id, ([127, 0, 0, 1], 8_000 + n).into())
}

fn lease(n: u16) -> Lease {
    let instance = instance(n);
    Lease::new(instance.service, instance.id, "token", TTL)
}

fn away() -> RegistryError {
    RegistryError::Unreachable("refused".into())
}

fn never() -> RegistryError {
    RegistryError::Refused {
        status: 400,
        detail: None,
    }
}

fn put(ledger: &mut Ledger, now: Instant) -> (Number, Put) {
    match ledger.call(now) {
        Some(Call::Put(number, put)) => (number, put),
        other => panic!("{other:?}"),
    }
}

fn renewals(ledger: &mut Ledger, now: Instant) -> Vec<Number> {
    match ledger.call(now) {
        Some(Call::Renew(batch)) => batch.into_iter().map(|(number, _)| number).collect(),
        other => panic!("{other:?}"),
    }
}

/// A ledger with so many instances, all of them registered.
fn listed(count: u16, now: Instant) -> Ledger {
    let mut ledger = Ledger::new(TTL, 7);
    for n in 0..count {
        ledger.add(instance(n), now).unwrap();
        let (number, asked) = put(&mut ledger, now);
        let taken = ledger.put(number, &asked, Ok(lease(n)), now);
        assert_eq!(taken, Taken::Yes);
    }
    assert!(ledger.call(now).is_none());
    ledger
}

const GONE: Renewal = Renewal::Gone;
const OK: Renewal = Renewal::Renewed { ttl: TTL };

#[test]
fn a_lease_is_renewed_after_a_third_of_its_time_give_or_take_a_tenth() {
    let now = clock::now();
    let mut waits = Vec::new();
    for _ in 0..200 {
        let mut ledger = Ledger::new(TTL, fastrand::u64(..));
        let number = ledger.add(instance(1), now).unwrap();
        let (_, asked) = put(&mut ledger, now);
        ledger.put(number, &asked, Ok(lease(1)), now);
        waits.push(ledger.next_at().unwrap() - now);
    }
    let (min, max) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(
        *min >= TTL * 30 / 100 && *max <= TTL * 37 / 100,
        "{min:?} {max:?}"
    );
    assert!(*max - *min > TTL * 5 / 100, "they renew together");
}

#[test]
fn what_is_due_together_is_renewed_by_one_call_and_stays_together() {
    let mut now = clock::now();
    let mut ledger = listed(600, now);
    // Each has drawn a moment of its own; after a few turns they go along with each other.
    for _ in 0..6 {
        let by = now + TTL / 2;
        while let Some(at) = ledger.next_at().filter(|at| *at < by) {
            now = at;
            let batch = renewals(&mut ledger, now);
            ledger.renewed(&batch, &vec![OK; batch.len()], now);
        }
    }
    let (mut calls, until) = (0, now + TTL);
    while let Some(at) = ledger.next_at().filter(|at| *at < until) {
        let batch = renewals(&mut ledger, at);
        assert!(batch.len() <= 256);
        ledger.renewed(&batch, &vec![OK; batch.len()], at);
        calls += 1;
    }
    assert!(
        (3..60).contains(&calls),
        "{calls} calls renew 600 leases thrice"
    );
}

#[test]
fn answers_that_are_missing_count_as_no_answer() {
    let now = clock::now();
    let mut ledger = listed(2, now);
    let at = now + TTL;
    let batch = renewals(&mut ledger, at);
    assert_eq!(batch.len(), 2);
    assert!(ledger.renewed(&batch, &[OK], at).is_empty());
    assert_eq!(ledger.stage(batch[0], at), Stage::Registered);
    assert_eq!(ledger.stage(batch[1], at), Stage::Lost, "its time is over");
    assert!(ledger.next_at().unwrap() <= at + TTL / 2);
    // More than was asked for changes nothing.
    let later = at + TTL;
    let batch = renewals(&mut ledger, later);
    ledger.renewed(&batch, &[OK, OK, GONE, GONE], later);
    assert_eq!(ledger.stage(batch[0], later), Stage::Registered);
}

#[test]
fn those_forgotten_together_come_back_spread() {
    let now = clock::now();
    let mut ledger = listed(200, now);
    let mut at = now + TTL;
    let batch = renewals(&mut ledger, at);
    assert_eq!(batch.len(), 200);
    let lost = ledger.renewed(&batch, &vec![GONE; 200], at);
    assert_eq!(lost.len(), 200);
    let start = at;
    let mut halves = [0_u32; 2];
    while let Some(due) = ledger.next_at() {
        at = due;
        let Some(Call::Put(number, asked)) = ledger.call(at) else {
            break;
        };
        if at - start > TTL / 4 {
            break;
        }
        halves[usize::from(at - start > Duration::from_secs(1))] += 1;
        ledger.put(number, &asked, Ok(lease(0)), at);
    }
    assert_eq!(
        halves[0] + halves[1],
        200,
        "all within a quarter of the time to live"
    );
    assert!(halves[0] > 50 && halves[1] > 50, "{halves:?}");
}

#[test]
fn tries_are_spread_and_never_end() {
    let mut now = clock::now();
    let mut ledger = Ledger::new(TTL, 7);
    let number = ledger.add(instance(1), now).unwrap();
    let mut longest = Duration::ZERO;
    for n in 0..500 {
        let (_, asked) = put(&mut ledger, now);
        assert_eq!(ledger.put(number, &asked, Err(&away()), now), Taken::NotNow);
        let next = ledger.next_at().unwrap();
        longest = longest.max(next - now);
        assert!(next - now <= TTL / 2, "try {n}");
        now = next;
    }
    assert!(longest > TTL / 4);
    assert_eq!(ledger.stage(number, now), Stage::Pending);
}

#[test]
fn a_change_is_put_and_renewals_go_on_meanwhile() {
    let now = clock::now();
    let mut ledger = listed(1, now);
    let draining = instance(0).status(Status::Draining);
    assert_eq!(ledger.change(0, draining.clone(), now), Some((1, false)));
    assert_eq!(
        ledger.change(0, draining, now),
        Some((1, false)),
        "the same again"
    );
    // The registry is full for whoever changes, and renews all the same.
    let (mut at, mut renewed) = (now, 0);
    while at < now + TTL * 2 {
        match ledger.call(at) {
            Some(Call::Put(number, asked)) => {
                let full = RegistryError::Full { limit: "instances" };
                ledger.put(number, &asked, Err(&full), at);
            }
            Some(Call::Renew(batch)) => {
                renewed += 1;
                ledger.renewed(&[batch[0].0], &[OK], at);
            }
            _ => at = ledger.next_at().unwrap(),
        }
    }
    assert!(renewed >= 4, "{renewed}");
    assert_eq!(ledger.stage(0, at), Stage::Registered);
}

#[test]
fn a_change_during_a_put_is_put_after_it() {
    let now = clock::now();
    let mut ledger = Ledger::new(TTL, 7);
    let number = ledger.add(instance(1), now).unwrap();
    let (_, first) = put(&mut ledger, now);
    ledger
        .change(number, instance(1).version("2"), now)
        .unwrap();
    assert!(
        ledger.call(now).is_none(),
        "two calls of one instance may overtake each other"
    );
    ledger.put(number, &first, Ok(lease(1)), now);
    let (_, second) = put(&mut ledger, now);
    assert_eq!(second.instance.version.as_deref(), Some("2"));
    assert_eq!(second.change, 1);
}

#[test]
fn a_change_that_is_refused_leaves_what_was() {
    let now = clock::now();
    let mut ledger = listed(1, now);
    let (change, _) = ledger.change(0, instance(0).version("2"), now).unwrap();
    let (_, asked) = put(&mut ledger, now);
    let taken = ledger.put(0, &asked, Err(&never()), now);
    assert_eq!(taken, Taken::Never { is_first: true });
    assert_eq!(ledger.stage(0, now), Stage::Registered);
    assert_eq!(ledger.wanted(0).unwrap().version, None);
    assert!(ledger.call(now).is_none());
    // To want what is there needs no call.
    assert_eq!(ledger.change(0, instance(0), now), Some((change, true)));
}

#[test]
fn what_was_never_taken_is_refused_and_tried_all_the_same() {
    let now = clock::now();
    let mut ledger = Ledger::new(TTL, 7);
    let number = ledger.add(instance(1), now).unwrap();
    let (_, asked) = put(&mut ledger, now);
    let first = ledger.put(number, &asked, Err(&never()), now);
    assert_eq!(first, Taken::Never { is_first: true });
    assert_eq!(ledger.stage(number, now), Stage::Refused);
    let at = ledger.next_at().unwrap();
    let (_, asked) = put(&mut ledger, at);
    let again = ledger.put(number, &asked, Err(&never()), at);
    assert_eq!(again, Taken::Never { is_first: false });
    // Another one may do.
    ledger.change(number, instance(1).version("2"), at).unwrap();
    let (_, asked) = put(&mut ledger, at);
    ledger.put(number, &asked, Ok(lease(1)), at);
    assert_eq!(ledger.stage(number, at), Stage::Registered);
}

#[test]
fn an_id_lives_once_and_is_free_when_its_end_begins() {
    let now = clock::now();
    let mut ledger = listed(1, now);
    assert_eq!(ledger.add(instance(0), now), Err(Duplicate));
    assert!(ledger.end(0, now, END));
    let next = ledger.add(instance(0), now).unwrap();
    assert_ne!(next, 0);
    assert_eq!(
        ledger.living(&instance(0).service, &instance(0).id),
        Some(next)
    );
    assert_eq!(
        ledger.change(0, instance(0).version("2"), now),
        None,
        "it ends"
    );
}

#[test]
fn who_takes_over_an_id_waits_for_the_put_of_its_predecessor() {
    let now = clock::now();
    let mut ledger = Ledger::new(TTL, 7);
    let first = ledger.add(instance(1), now).unwrap();
    let (_, asked) = put(&mut ledger, now);
    ledger.end(first, now, END);
    let second = ledger.add(instance(1), now).unwrap();
    assert!(ledger.call(now).is_none(), "the first put is not over");
    ledger.put(first, &asked, Ok(lease(1)), now);
    let Some(Call::Remove { number, .. }) = ledger.call(now) else {
        panic!("what was put is not removed");
    };
    assert_eq!(number, first);
    // Nor may the removal hit the second one.
    assert!(ledger.call(now).is_none(), "the removal is not over");
    assert!(
        !ledger.removed(first, false, now),
        "the second one takes its place"
    );
    assert_eq!(put(&mut ledger, now).0, second);
}

#[test]
fn of_several_that_end_under_an_id_the_next_waits_for_the_last() {
    let now = clock::now();
    let mut ledger = listed(1, now);
    let mut before = 0;
    for _ in 0..3 {
        ledger.end(before, now, END);
        let next = ledger.add(instance(0), now).unwrap();
        while let Some(call) = ledger.call(now) {
            match call {
                Call::Remove { number, .. } => {
                    assert_eq!(number, before);
                    ledger.removed(number, true, now);
                }
                Call::Put(number, asked) => {
                    assert_eq!(number, next);
                    ledger.put(number, &asked, Ok(lease(0)), now);
                }
                Call::Renew(_) => unreachable!("nothing is due"),
            }
        }
        assert!(ledger.is_over(before));
        before = next;
    }
    // One that never got its turn leaves nobody waiting.
    ledger.end(before, now, END);
    let skipped = ledger.add(instance(0), now).unwrap();
    let last_busy = ledger.call(now).is_some();
    ledger.end(skipped, now, END);
    let last = ledger.add(instance(0), now).unwrap();
    assert!(last_busy && ledger.call(now).is_none());
    ledger.removed(before, true, now);
    assert_eq!(put(&mut ledger, now).0, last);
}

#[test]
fn an_end_is_tried_again_within_its_time_and_not_beyond() {
    let now = clock::now();
    let mut ledger = listed(1, now);
    ledger.end(0, now, END);
    let (mut at, mut tries) = (now, 0);
    loop {
        match ledger.call(at) {
            Some(Call::Remove { number, .. }) => {
                tries += 1;
                if !ledger.removed(number, false, at) {
                    break;
                }
            }
            None => at = ledger.next_at().unwrap(),
            other => panic!("{other:?}"),
        }
    }
    assert!(
        at - now <= END && tries >= 2,
        "{tries} tries in {:?}",
        at - now
    );
    assert!(ledger.is_empty() && ledger.is_over(0));
    assert_eq!(ledger.next_at(), None);
}

#[test]
fn who_was_never_registered_ends_at_once() {
    let now = clock::now();
    let mut ledger = Ledger::new(TTL, 7);
    let number = ledger.add(instance(1), now).unwrap();
    assert!(ledger.end(number, now, Duration::MAX));
    assert!(ledger.is_empty());
    assert!(!ledger.end(number, now, END), "it has ended");
}

#[test]
fn who_takes_over_a_driver_asks_again_what_it_had_asked() {
    let now = clock::now();
    let mut ledger = listed(2, now);
    let at = now + TTL;
    assert_eq!(renewals(&mut ledger, at).len(), 2);
    ledger.end(1, at, END);
    ledger.interrupted(at);
    assert_eq!(ledger.abandon_ending(), [1]);
    assert_eq!(renewals(&mut ledger, at), [0]);
}

/// A registry that is a map; what it holds of each id, and until when.
#[derive(Default)]
struct Map {
    listed: BTreeMap<InstanceId, (String, Arc<Instance>, Instant)>,
    tokens: u64,
}

impl Map {
    fn put(&mut self, instance: &Arc<Instance>, now: Instant) -> Lease {
        self.tokens += 1;
        let token = self.tokens.to_string();
        let listed = (token.clone(), Arc::clone(instance), now + TTL);
        self.listed.insert(instance.id.clone(), listed);
        Lease::new(instance.service.clone(), instance.id.clone(), token, TTL)
    }

    fn holds(&mut self, lease: &Lease, now: Instant) -> Option<&mut Instant> {
        let (token, _, until) = self.listed.get_mut(lease.instance())?;
        (token == lease.token() && *until > now).then_some(until)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(u16),
    Change(u16, u16),
    End(u16),
    /// The next calls find the registry like this.
    Mode(Mode),
    Forget,
    Pass(u16),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Up,
    Away,
    /// It does what it is asked and the answer is lost.
    Mute,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u16..4).prop_map(Step::Add),
        ((0_u16..4), (0_u16..3)).prop_map(|(n, version)| Step::Change(n, version)),
        (0_u16..4).prop_map(Step::End),
        prop_oneof![Just(Mode::Up), Just(Mode::Away), Just(Mode::Mute)].prop_map(Step::Mode),
        Just(Step::Forget),
        (1_u16..20_000).prop_map(Step::Pass),
    ]
}

/// Answers every call at once, until `until`.
fn run(ledger: &mut Ledger, map: &mut Map, mode: Mode, now: Instant, until: Instant) {
    let mut at = now;
    loop {
        while let Some(call) = ledger.call(at) {
            match call {
                Call::Put(number, asked) => {
                    let lease = (mode != Mode::Away).then(|| map.put(&asked.instance, at));
                    let answer = lease.filter(|_| mode == Mode::Up).ok_or_else(away);
                    ledger.put(number, &asked, answer.as_ref().map(Lease::clone), at);
                }
                Call::Renew(batch) => {
                    let (numbers, leases): (Vec<Number>, Vec<Lease>) = batch.into_iter().unzip();
                    let mut answers = Vec::new();
                    for lease in &leases {
                        let held = map.holds(lease, at).filter(|_| mode != Mode::Away);
                        let until = held.map(|until| *until = at + TTL);
                        answers.push(until.map_or(GONE, |()| OK));
                    }
                    let heard = if mode == Mode::Up {
                        answers
                    } else {
                        Vec::new()
                    };
                    ledger.renewed(&numbers, &heard, at);
                }
                Call::Remove { number, lease, .. } => {
                    if mode != Mode::Away && map.holds(&lease, at).is_some() {
                        map.listed.remove(lease.instance());
                    }
                    ledger.removed(number, mode == Mode::Up, at);
                }
            }
        }
        match ledger.next_at() {
            Some(next) if next <= until => at = next.max(at + MS / 1_000),
            _ => return,
        }
    }
}

proptest! {
    /// Whatever happens to the registry on the way: once it is up, it holds within one time to live what this
    /// process wants, and nothing that it has ended within two.
    #[test]
    fn the_registry_comes_to_hold_what_is_wanted(
        steps in proptest::collection::vec(step(), 1..60),
        seed: u64,
    ) {
        let (mut ledger, mut map) = (Ledger::new(TTL, seed), Map::default());
        let (mut now, mut mode) = (clock::now(), Mode::Up);
        let mut wanted: HashMap<u16, (Number, Instance)> = HashMap::new();
        for step in steps {
            match step {
                Step::Add(n) => match ledger.add(instance(n), now) {
                    Ok(number) => prop_assert!(wanted.insert(n, (number, instance(n))).is_none()),
                    Err(Duplicate) => prop_assert!(wanted.contains_key(&n)),
                },
                Step::Change(n, version) => {
                    if let Some((number, instance)) = wanted.get_mut(&n) {
                        *instance = instance.clone().version(version.to_string());
                        prop_assert!(ledger.change(*number, instance.clone(), now).is_some());
                    }
                }
                Step::End(n) => {
                    if let Some((number, _)) = wanted.remove(&n) {
                        prop_assert!(ledger.end(number, now, END));
                    }
                }
                Step::Mode(next) => mode = next,
                Step::Forget => map.listed.clear(),
                Step::Pass(ms) => {
                    let until = now + MS * u32::from(ms);
                    run(&mut ledger, &mut map, mode, now, until);
                    now = until;
                }
            }
        }
        run(&mut ledger, &mut map, Mode::Up, now, now + TTL);
        now += TTL;
        for (number, instance) in wanted.values() {
            let held = map.listed.get(&instance.id);
            prop_assert!(held.is_some_and(|(_, held, until)| **held == *instance && *until > now));
            prop_assert_eq!(ledger.stage(*number, now), Stage::Registered);
        }
        run(&mut ledger, &mut map, Mode::Up, now, now + TTL);
        now += TTL;
        let alive = map.listed.values().filter(|(_, _, until)| *until > now).count();
        prop_assert_eq!(alive, wanted.len());
        for (number, _) in wanted.values() {
            ledger.end(*number, now, END);
        }
        run(&mut ledger, &mut map, Mode::Up, now, now + END);
        prop_assert!(ledger.is_empty());
        prop_assert_eq!(ledger.next_at(), None);
    }
}
