//! Ejections as picks see them, with the state driven as the watch driver does it.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use msf_core::{
    classify::{Classification, Verdict},
    clock,
    name::{InstanceId, ServiceName},
};
use proptest::prelude::*;
use tokio::time::{Instant, advance};

use crate::{
    balance::{Balance, LoadBalancing},
    metrics::Picks,
    model::{Authority, Cursor, Health, Instance, Member, Snapshot, Status},
    outlier::{Outliers, Successes},
    service::{PickContext, Picked, State},
};

/// A state and when it is to be swept next.
struct Driven {
    state: State,
    picks: Picks,
    next: Option<Instant>,
    revision: u64,
}

impl Driven {
    fn new(rules: LoadBalancing, len: u8) -> Self {
        let service = ServiceName::new("payment").unwrap();
        let picks = Picks::noop();
        let state = State::new(service, rules, picks.clone());
        let mut driven = Self {
            state,
            picks,
            next: None,
            revision: 0,
        };
        driven.publish((0..len).map(|n| (n, Health::Unknown, Status::Up)));
        driven
    }

    fn publish(&mut self, members: impl IntoIterator<Item = (u8, Health, Status)>) {
        self.revision += 1;
        let service = self.state.service().clone();
        let member = |(n, health, status)| {
            let id = InstanceId::new(format!("p-{n}")).unwrap();
            let instance =
                Instance::new(service.clone(), id, ([10, 0, 0, n], 80).into()).status(status);
            Member::new(Arc::new(instance), health)
        };
        let members: Vec<_> = members.into_iter().map(member).collect();
        let cursor = Cursor::new(1, self.revision);
        self.state.publish(Snapshot::new(
            service.clone(),
            cursor,
            Authority::Explicit,
            members,
        ));
        self.next = self.state.sweep(clock::now());
    }

    /// Sweeps if it is time to.
    fn drive(&mut self) {
        for _ in 0..10 {
            let is_woken = {
                let given = pin!(self.state.sweeper.signal().given());
                given
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_ready()
            };
            let now = clock::now();
            if !is_woken && self.next.is_none_or(|next| next > now) {
                return;
            }
            self.next = self.state.sweep(now);
        }
        panic!("it sweeps for ever");
    }

    async fn pass(&mut self, time: Duration) {
        let end = clock::now() + time;
        self.drive();
        while let Some(next) = self.next.filter(|next| *next <= end) {
            advance(next.saturating_duration_since(clock::now())).await;
            self.drive();
        }
        advance(end.saturating_duration_since(clock::now())).await;
        self.drive();
    }

    /// Five calls that were under way to the first instance fail.
    fn eject_first(&mut self) {
        let table = self.state.table();
        let cell = &table.seats[0].host.outlier;
        for _ in 0..5 {
            cell.record(Verdict::Failure, &Successes::default(), false);
        }
        self.drive();
        assert!(!cell.is_open());
    }

    fn pick(&self) -> Picked {
        // A new key each, for those that hash.
        self.state
            .pick(&PickContext::new().hash(fastrand::u64(..)))
            .unwrap()
    }
}

fn number(picked: &Picked) -> u8 {
    let std::net::IpAddr::V4(ip) = picked.addr().ip() else {
        unreachable!("they are of version 4")
    };
    ip.octets()[3]
}

const ALL: [Balance; 7] = [
    Balance::PeakEwma,
    Balance::LeastRequest,
    Balance::RoundRobin,
    Balance::Random,
    Balance::RingHash,
    Balance::Maglev,
    Balance::Rendezvous,
];

/// `calls` calls, one per 10 ms and each over at once; `fails` says of which instance they fail.
async fn traffic(driven: &mut Driven, calls: u32, fails: Option<u8>) -> BTreeMap<u8, u32> {
    let mut seen = BTreeMap::new();
    for _ in 0..calls {
        let mut picked = driven.pick();
        let of = number(&picked);
        *seen.entry(of).or_default() += 1;
        let outcome = if fails == Some(of) {
            Classification::FAILURE
        } else {
            advance(Duration::from_millis(1)).await;
            Classification::SUCCESS
        };
        picked.record(&outcome);
        drop(picked);
        driven.pass(Duration::from_millis(9)).await;
    }
    seen
}

fn no_slow_start(balance: Balance) -> LoadBalancing {
    LoadBalancing::new(balance).without_slow_start()
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_fails_at_once_gets_less_than_two_of_a_hundred_calls() {
    for balance in ALL {
        for len in [2, 4] {
            let mut driven = Driven::new(no_slow_start(balance), len);
            let seen = traffic(&mut driven, 6_000, Some(0)).await;
            let share = f64::from(seen.get(&0).copied().unwrap_or_default()) / 6_000.0;
            assert!(share <= 0.015, "{balance:?} of {len}: {share}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_works_again_has_its_share_back() {
    for balance in ALL {
        let mut driven = Driven::new(no_slow_start(balance), 4);
        let _failing = traffic(&mut driven, 3_000, Some(0)).await;
        // Until the ejection is over, the probe has passed, and all is as before.
        let _recovers = traffic(&mut driven, 6_000, None).await;
        let seen = traffic(&mut driven, 4_000, None).await;
        let share = f64::from(seen[&0]) / 4_000.0;
        assert!((0.15..0.35).contains(&share), "{balance:?}: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_call_finds_out_and_the_others_go_elsewhere_meanwhile() {
    for balance in ALL {
        let mut driven = Driven::new(no_slow_start(balance), 2);
        driven.eject_first();
        let elsewhere = (0..100).all(|_| number(&driven.pick()) == 1);
        assert!(elsewhere, "{balance:?}: before the table is made anew");
        driven.pass(Duration::from_secs(1)).await;
        let elsewhere = (0..100).all(|_| number(&driven.pick()) == 1);
        assert!(elsewhere, "{balance:?}: after that");
        driven.pass(Duration::from_secs(12)).await;

        let calls: Vec<Picked> = (0..100).map(|_| driven.pick()).collect();
        let probes = calls.iter().filter(|picked| number(picked) == 0).count();
        assert_eq!(probes, 1, "{balance:?}");
        driven.state.tell_picks();
        let [_, _, spills, probes, _] = driven.picks.counted();
        assert_eq!((spills, probes), (0, 1), "{balance:?}: in the metrics");
        for mut picked in calls {
            picked.record(&Classification::SUCCESS);
        }
        driven.pass(Duration::from_secs(1)).await;
        let back = (0..100).any(|_| number(&driven.pick()) == 0);
        assert!(back, "{balance:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_is_followed_by_another() {
    let mut driven = Driven::new(no_slow_start(Balance::RoundRobin), 2);
    driven.eject_first();
    driven.pass(Duration::from_secs(13)).await;
    for _ in 0..3 {
        let calls: Vec<Picked> = (0..10).map(|_| driven.pick()).collect();
        assert_eq!(calls.iter().filter(|picked| number(picked) == 0).count(), 1);
        drop(calls);
        driven.drive();
    }
}

#[tokio::test(start_paused = true)]
async fn calls_from_before_the_ejection_are_no_probes() {
    for balance in ALL {
        let mut driven = Driven::new(no_slow_start(balance), 2);
        let mut old: Vec<Picked> = (0..200).map(|_| driven.pick()).collect();
        old.retain(|picked| number(picked) == 0);
        driven.eject_first();
        driven.pass(Duration::from_secs(13)).await;
        let probes = |driven: &Driven| -> Vec<Picked> {
            let calls = (0..100).map(|_| driven.pick());
            calls.filter(|picked| number(picked) == 0).collect()
        };
        let probe = probes(&driven);
        assert_eq!(probe.len(), 1, "{balance:?}");
        // They are given up, and end well and badly, one after the other.
        for (n, mut picked) in old.drain(..9).enumerate() {
            match n % 3 {
                0 => {}
                1 => picked.record(&Classification::SUCCESS),
                _ => picked.record(&Classification::FAILURE),
            }
            drop(picked);
            driven.drive();
            assert!(probes(&driven).is_empty(), "{balance:?}: {n}");
        }
        for mut picked in probe {
            picked.record(&Classification::SUCCESS);
        }
        driven.pass(Duration::from_secs(1)).await;
        let table = driven.state.table();
        assert!(table.seats[0].host.outlier.is_open(), "{balance:?}: back");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_back_starts_slowly() {
    let mut driven = Driven::new(LoadBalancing::new(Balance::RoundRobin), 2);
    let first = traffic(&mut driven, 100, None).await;
    assert!(
        first[&0] >= 40,
        "nobody of the first list starts slowly: {first:?}"
    );
    driven.eject_first();
    let after = traffic(&mut driven, 1_400, None).await;
    let slow = traffic(&mut driven, 100, None).await;
    assert!(after.contains_key(&0), "it never came back: {after:?}");
    assert!(slow.get(&0).copied().unwrap_or_default() < 25, "{slow:?}");
    driven.pass(Duration::from_secs(30)).await;
    let whole = traffic(&mut driven, 100, None).await;
    assert!(whole[&0] >= 40, "{whole:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_was_half_open_for_long_starts_slowly_once_it_is_back() {
    let mut driven = Driven::new(LoadBalancing::new(Balance::RoundRobin), 2);
    driven.eject_first();
    // Nobody calls, so nobody finds out.
    driven.pass(Duration::from_secs(120)).await;
    let after = traffic(&mut driven, 100, None).await;
    let first = after.get(&0).copied().unwrap_or_default();
    assert!((1..25).contains(&first), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn the_last_one_is_called_whatever_happens() {
    let mut driven = Driven::new(LoadBalancing::default().panic_threshold(0.0), 3);
    for _ in 0..200 {
        driven.pick().record(&Classification::FAILURE);
        driven.pass(Duration::from_millis(500)).await;
    }
    // The others leave, one by one.
    for ids in [vec![0, 1], vec![1], vec![2], vec![0]] {
        driven.publish(ids.iter().map(|n| (*n, Health::Unknown, Status::Up)));
        assert!(ids.contains(&number(&driven.pick())));
        driven.pass(Duration::from_millis(100)).await;
        assert!(ids.contains(&number(&driven.pick())));
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_suspicion_may_stop_waiting_at_any_time() {
    let driven = Driven::new(no_slow_start(Balance::RoundRobin), 2);
    driven.state.sweep(clock::now());
    driven.pick().record(&Classification::FAILURE);
    for _ in 0..3 {
        let waited = tokio::time::timeout(Duration::from_millis(5), driven.state.suspected()).await;
        assert!(waited.is_err(), "too soon after the last sweep");
    }
    driven.state.suspected().await;
    let again = tokio::time::timeout(Duration::from_secs(60), driven.state.suspected()).await;
    assert!(again.is_err(), "once is enough");
}

#[tokio::test(start_paused = true)]
async fn without_ejections_nothing_is_ejected_or_waited_for() {
    let driven = Driven::new(no_slow_start(Balance::RoundRobin).without_outliers(), 2);
    for _ in 0..100 {
        driven.pick().record(&Classification::FAILURE);
    }
    assert_eq!(driven.state.sweep(clock::now()), None);
    let waited = tokio::time::timeout(Duration::from_secs(60), driven.state.suspected()).await;
    assert!(waited.is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Call(bool),
    Hold,
    Release,
    Pass(u64),
    Publish(Vec<(bool, u8, u8)>),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any::<bool>().prop_map(Step::Call),
        1 => Just(Step::Hold),
        1 => Just(Step::Release),
        4 => (0_u64..15_000).prop_map(Step::Pass),
        1 => proptest::collection::vec((any::<bool>(), 0_u8..3, 0_u8..6), 5).prop_map(Step::Publish),
    ]
}

fn any_members(listed: &[(bool, u8, u8)]) -> Vec<(u8, Health, Status)> {
    let health = [Health::Healthy, Health::Unhealthy, Health::Unknown];
    let status = [
        Status::Up,
        Status::Up,
        Status::Degraded,
        Status::Draining,
        Status::Starting,
        Status::OutOfService,
    ];
    (0..)
        .zip(listed)
        .filter(|(_, (is_listed, ..))| *is_listed)
        .map(|(n, (_, h, s))| (n, health[usize::from(*h)], status[usize::from(*s)]))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever calls tell and whatever the registry lists: while an instance is listed that may be called, one is
    /// picked, and never one that does not want to be called.
    #[test]
    fn nothing_leaves_callers_without_an_instance(
        balance in proptest::sample::select(ALL.to_vec()),
        steps in proptest::collection::vec(any_step(), 1..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let outliers = Outliers::default().base(Duration::from_secs(1));
            let rules = LoadBalancing::new(balance).panic_threshold(0.0).outliers(outliers);
            let mut driven = Driven::new(rules, 4);
            let mut members: Vec<_> = (0..4).map(|n| (n, Health::Unknown, Status::Up)).collect();
            let mut held = Vec::new();
            for step in steps {
                let picked = driven.state.pick(&PickContext::new().hash(fastrand::u64(..)));
                let is_callable = |(_, health, status): &(u8, Health, Status)| {
                    *health != Health::Unhealthy && !matches!(status, Status::Starting | Status::OutOfService)
                };
                if members.iter().any(is_callable) {
                    prop_assert!(picked.is_ok(), "{members:?}");
                }
                if let Ok(mut picked) = picked {
                    let member = members.iter().find(|(n, ..)| *n == number(&picked)).unwrap();
                    prop_assert!(!matches!(member.2, Status::Starting | Status::OutOfService));
                    match step {
                        Step::Call(is_ok) => {
                            let outcome = if is_ok { Classification::SUCCESS } else { Classification::FAILURE };
                            picked.record(&outcome);
                        }
                        Step::Hold => held.push(picked),
                        _ => {}
                    }
                }
                match step {
                    Step::Call(_) | Step::Hold => driven.drive(),
                    Step::Release => drop(held.pop()),
                    Step::Pass(ms) => driven.pass(Duration::from_millis(ms)).await,
                    Step::Publish(listed) => {
                        members = any_members(&listed);
                        driven.publish(members.clone());
                    }
                }
            }
            Ok(())
        })?;
    }
}
