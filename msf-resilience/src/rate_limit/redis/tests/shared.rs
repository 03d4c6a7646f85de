//! What every store must answer, and what several instances share.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use msf_core::{clock, metrics::Metrics, task};

use super::{
    super::{
        super::{
            gcra::{Gcra, duration, ticks},
            quota::Quota,
            store::{Demand, LimitStore, StoreError, Verdict},
            vectors::{Action, CASES, Case},
        },
        Fallback, RedisStoreBuilder,
        local::LocalStore,
        script::Clock,
    },
    server::{Server, fresh, hourly},
};

const START_US: u64 = 1_800_000_000_000_000;

/// Plays a case; `advance` moves the store's clock.
async fn play(case: &Case, store: &dyn LimitStore, mut advance: impl AsyncFnMut(Duration)) {
    let unique = fresh(case.name);
    let mut now_ms = 0;
    for (at, step) in case.steps.iter().enumerate() {
        advance(Duration::from_millis(step.at_ms - now_ms)).await;
        now_ms = step.at_ms;
        let (Action::Allowed { cost, .. } | Action::Limited { cost, .. } | Action::Refund { cost }) =
            step.action;
        let limits = case.limits.iter();
        let keys: Vec<_> = limits
            .map(|(limit, quota)| (format!("{unique}:{limit}:{}", step.key), *quota))
            .collect();
        let demands: Vec<_> = keys
            .iter()
            .map(|(key, quota)| Demand::new(key, *quota, cost))
            .collect();
        let place = format!("{}, step {at}: {step:?}", case.name);
        if let Action::Refund { .. } = step.action {
            store.refund(&demands).await.unwrap();
            continue;
        }
        let verdict = store.decide(&demands).await.unwrap();
        let standing = demands.iter().zip(&verdict.ahead);
        let standing = standing.map(|(demand, ahead)| (Gcra::new(&demand.quota, 0), ticks(*ahead)));
        if let Action::Allowed { remaining, .. } = step.action {
            assert!(verdict.allowed, "{place}: {verdict:?}");
            let left: Vec<_> = standing
                .map(|(gcra, ahead)| gcra.remaining(ahead))
                .collect();
            assert_eq!(left, remaining, "{place}");
        } else if let Action::Limited { retry_ms, .. } = step.action {
            assert!(!verdict.allowed, "{place}: {verdict:?}");
            let waits = standing.map(|(gcra, ahead)| duration(gcra.wait(ahead, cost)));
            assert_eq!(
                waits.max(),
                Some(Duration::from_millis(retry_ms)),
                "{place}"
            );
        }
    }
}

fn clock_of_the_test() -> (Clock, Arc<AtomicU64>) {
    let micros = Arc::new(AtomicU64::new(START_US));
    (Clock::Given(Arc::clone(&micros)), micros)
}

/// Only Redis decides, however slow this machine is.
fn strict(server: &Server) -> RedisStoreBuilder {
    let store = server.store().fallback(Fallback::Nothing);
    store.timeout(Duration::from_secs(10))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn redis_answers_the_shared_vectors() {
    let server = Server::start();
    let (clock, now) = clock_of_the_test();
    // Without the memory of refusals, which goes by the clock of this process.
    let store = strict(&server).clock(clock).deny_for(Duration::ZERO);
    let store = store.build().unwrap();
    for case in CASES {
        play(case, &store, async |by| {
            now.fetch_add(micros(by), Ordering::Relaxed);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_share_in_memory_answers_the_shared_vectors() {
    let store = LocalStore::new(1_000);
    for case in CASES {
        play(case, &store, tokio::time::advance).await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn the_clock_of_the_server_counts() {
    let server = Server::start();
    let store = strict(&server).build().unwrap();
    let key = fresh("key");
    let period = Duration::from_millis(300);
    let demands = [Demand::new(&key, Quota::per(1, period), 1)];
    let started = clock::now();
    // Allowed three times, so two whole periods pass, however late each answer is.
    let mut times_allowed = 0;
    while times_allowed < 3 {
        let verdict = store.decide(&demands).await.unwrap();
        if verdict.allowed {
            times_allowed += 1;
        } else {
            assert!(verdict.ahead[0] <= period, "{verdict:?}");
            tokio::time::sleep(verdict.ahead[0]).await;
        }
    }
    // The two clocks may run at rates that differ a little.
    assert!(started.elapsed() >= Duration::from_millis(590));
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn a_key_expires_when_it_says_nothing_any_more() {
    let server = Server::start();
    let store = strict(&server).build().unwrap();
    let key = fresh("key");
    store.decide(&hourly(&key, 3_600)).await.unwrap();
    let mut client = server.client().await;
    let keys = ::redis::cmd("KEYS").arg("msf:limit:{*}:key:*").take();
    let keys: Vec<String> = keys.query_async(&mut client).await.unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let ttl = ::redis::cmd("PTTL").arg(&keys[0]).take();
    let ttl: i64 = ttl.query_async(&mut client).await.unwrap();
    // -2 if it has expired since.
    assert!((-2..=1_001).contains(&ttl) && ttl != -1, "{ttl}");

    store.decide(&hourly(&key, 3_600)).await.unwrap();
    store
        .refund(&[Demand::new(&key, Quota::per_hour(3_600), 9)])
        .await
        .unwrap();
    let left: u64 = ::redis::cmd("DBSIZE")
        .query_async(&mut client)
        .await
        .unwrap();
    assert_eq!(left, 0, "a whole refund leaves nothing");
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn instances_share_one_limit_and_never_let_more_through() {
    let server = Server::start();
    let key = fresh("key");
    let stores = [(); 4].map(|()| strict(&server).build().unwrap());
    let calls: Vec<_> = (stores.iter().cycle().take(200))
        .map(|store| {
            let (store, key) = (store.clone(), key.clone());
            task::spawn("call", async move {
                store.decide(&hourly(&key, 50)).await.unwrap().allowed
            })
        })
        .collect();
    let mut allowed = 0;
    for call in calls {
        allowed += usize::from(call.join().await.unwrap());
    }
    assert_eq!(allowed, 50);
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn who_was_refused_is_refused_again_without_redis() {
    let mut server = Server::start();
    let metrics = Metrics::new();
    let store = strict(&server).deny_for(Duration::from_secs(60));
    let store = store.metrics(&metrics).build().unwrap();
    let (ada, grace) = (fresh("ada"), fresh("grace"));
    assert!(store.decide(&hourly(&ada, 1)).await.unwrap().allowed);
    let first = store.decide(&hourly(&ada, 1)).await.unwrap();
    assert!(!first.allowed);

    server.kill();
    let again = store.decide(&hourly(&ada, 1)).await.unwrap();
    assert!(
        !again.allowed && again.ahead[0] <= first.ahead[0],
        "{again:?}"
    );
    let error = store.decide(&hourly(&grace, 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let text = metrics.render();
    for (outcome, count) in [("answered", 2), ("remembered", 1), ("failed", 1)] {
        let line = text.lines().find(|line| {
            line.starts_with("msf_ratelimit_redis_calls_total") && line.contains(outcome)
        });
        assert!(line.unwrap().ends_with(&format!(" {count}")), "{line:?}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn a_refund_ends_a_remembered_refusal() {
    let server = Server::start();
    let store = strict(&server)
        .deny_for(Duration::from_secs(60))
        .build()
        .unwrap();
    let key = fresh("key");
    let demands = hourly(&key, 1);
    assert!(store.decide(&demands).await.unwrap().allowed);
    assert!(!store.decide(&demands).await.unwrap().allowed);
    store.refund(&demands).await.unwrap();
    assert!(store.decide(&demands).await.unwrap().allowed);
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn nobody_waits_longer_than_the_burst_takes_after_the_clock_was_set_back() {
    let server = Server::start();
    let (clock, now) = clock_of_the_test();
    let store = strict(&server).clock(clock).deny_for(Duration::ZERO);
    let store = store.build().unwrap();
    let key = fresh("key");
    let demands = hourly(&key, 2);
    assert!(store.decide(&demands).await.unwrap().allowed);
    now.fetch_sub(micros(Duration::from_secs(86_400)), Ordering::Relaxed);
    let verdict = store.decide(&demands).await.unwrap();
    assert_eq!(
        verdict,
        Verdict::new(false, vec![Duration::from_secs(3_600)])
    );
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn hostile_keys_are_only_keys() {
    let server = Server::start();
    let store = strict(&server).build().unwrap();
    let (long, longer) = ("x".repeat(100_000), "x".repeat(100_001));
    let hostile = [
        "}{",
        "{}",
        "{",
        "",
        "*",
        "\0",
        "\u{202e}",
        "a\r\nFLUSHALL\r\n",
        "' .. redis.call('FLUSHALL') .. '",
        &long,
        &longer,
    ];
    for key in hostile {
        let hour = format!("{key}:hour");
        let day = format!("{key}:day");
        let both = [
            Demand::new(&hour, Quota::per_hour(1), 1),
            Demand::new(&day, Quota::per_hour(2), 1),
        ];
        assert!(store.decide(&both).await.unwrap().allowed, "{key:.20}");
        assert!(!store.decide(&both).await.unwrap().allowed, "{key:.20}");
    }
    let mut client = server.client().await;
    let keys = ::redis::cmd("KEYS").arg("*").take();
    let keys: Vec<String> = keys.query_async(&mut client).await.unwrap();
    assert_eq!(keys.len(), 2 * hostile.len());
    let mut tags: HashMap<&str, usize> = HashMap::new();
    for key in &keys {
        assert!(key.len() < 300, "{}", key.len());
        let tag = &key[key.find('{').unwrap() + 1..key.find('}').unwrap()];
        *tags.entry(tag).or_default() += 1;
    }
    assert!(tags.values().all(|&count| count == 2), "{tags:?}");
}
