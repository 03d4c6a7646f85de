//! The script beside a naive model, with exact numbers.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    super::{
        super::{
            quota::Quota,
            store::{Demand, LimitStore},
        },
        Fallback,
        script::Clock,
    },
    server::Server,
};

/// Arrival times as fractions: nanoseconds times the requests of the quota.
#[derive(Default)]
struct Model(HashMap<String, u128>);

impl Model {
    fn step(
        &mut self,
        demands: &[Demand<'_>],
        is_refund: bool,
        now_ns: u128,
    ) -> (bool, Vec<Duration>) {
        let now = |demand: &Demand<'_>| now_ns * u128::from(demand.quota.requests());
        let spans = |demand: &Demand<'_>, n: u32| demand.quota.period().as_nanos() * u128::from(n);
        let tat = |demand: &Demand<'_>| self.0.get(demand.key).copied().unwrap_or(0);
        let aheads = demands
            .iter()
            .map(|demand| tat(demand).saturating_sub(now(demand)));
        let aheads: Vec<u128> = aheads.collect();
        let has_room = |(demand, ahead): (&Demand<'_>, &u128)| {
            ahead + spans(demand, demand.cost) <= spans(demand, demand.quota.burst_size())
        };
        let is_allowed = is_refund || demands.iter().zip(&aheads).all(has_room);
        let mut after = Vec::new();
        for (demand, ahead) in demands.iter().zip(aheads) {
            let cost = spans(demand, demand.cost);
            let ahead = match (is_refund, is_allowed) {
                (true, _) => ahead.saturating_sub(cost),
                (false, true) => ahead + cost,
                (false, false) => ahead,
            };
            self.0.insert(demand.key.to_owned(), now(demand) + ahead);
            let nanos = ahead / u128::from(demand.quota.requests());
            after.push(Duration::from_nanos(u64::try_from(nanos).unwrap()));
        }
        (is_allowed, after)
    }
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn the_script_agrees_with_a_naive_model_to_the_nanosecond() {
    let server = Server::start();
    let now = Arc::new(AtomicU64::new(1_800_000_000_000_000));
    let store = server.store().clock(Clock::Given(Arc::clone(&now)));
    let store = store
        .deny_for(Duration::ZERO)
        .timeout(Duration::from_secs(10));
    let store = store.fallback(Fallback::Nothing).build().unwrap();
    let quotas = [
        Quota::per_second(3),
        Quota::per(7, Duration::from_micros(13)).burst(2),
        Quota::per(1_000_003, Duration::from_secs(1)).burst(17),
        Quota::per(11, Duration::from_secs(86_400)).burst(1_000),
        Quota::per(u32::MAX, Duration::from_nanos(86_399_999_999_999)),
        Quota::per(3, Duration::from_nanos(1_001)).burst(5),
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let mut model = Model::default();
    let mut counts = [0, 0];
    for _ in 0..5_000 {
        let pauses = [0, 0, 0, 0, 0, 1, 1, 3, 3, 1_000, 1_000, 333_333];
        let hours = if random.u8(..100) == 0 { 1 } else { 0 };
        let pause = random.choice(pauses).unwrap() + hours * 3_600_000_000;
        now.fetch_add(pause, Ordering::Relaxed);
        let user = random.u8(..2);
        let first = random.usize(..quotas.len());
        let count = random.usize(1..=3);
        // The first key gives all of them their slot, so it is part of what the model calls the key.
        let keys: Vec<_> = (0..count)
            .map(|at| format!("{user}:{first}|{at}"))
            .collect();
        let demands: Vec<_> = (keys.iter().enumerate())
            .map(|(at, key)| {
                let quota = quotas[(first + at) % quotas.len()];
                Demand::new(key, quota, random.u32(0..=quota.burst_size().min(9)))
            })
            .collect();
        let is_refund = random.u8(..5) == 0;
        let now_ns = u128::from(now.load(Ordering::Relaxed)) * 1_000;
        let (is_allowed, ahead) = model.step(&demands, is_refund, now_ns);
        if is_refund {
            store.refund(&demands).await.unwrap();
        } else {
            let verdict = store.decide(&demands).await.unwrap();
            assert_eq!(verdict.allowed, is_allowed, "{demands:?}");
            assert_eq!(verdict.ahead, ahead, "{demands:?}");
            counts[usize::from(is_allowed)] += 1;
        }
    }
    assert!(counts.iter().all(|&count| count > 300), "{counts:?}");
}
