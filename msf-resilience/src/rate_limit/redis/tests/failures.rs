//! Redis that dies, hangs, forgets or belongs to somebody else.

use std::time::Duration;

use tokio::{
    runtime,
    task::yield_now,
    time::{Instant, timeout},
};

use super::{
    super::{
        super::{
            quota::Quota,
            store::{Demand, LimitStore, StoreError},
        },
        Fallback, RedisStore, RedisStoreBuilder,
    },
    server::{Server, fresh, hourly},
};
use crate::circuit_breaker::{CircuitBreaker, Ramp, State};

/// Long enough for a machine that is busy with something else; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// A breaker that opens at the first failures and soon asks again.
fn breaker() -> CircuitBreaker {
    let breaker = CircuitBreaker::builder("test")
        .min_calls(3)
        .half_open_permits(1)
        .ramp(Ramp::none());
    let breaker = breaker
        .open_for(Duration::from_millis(50))
        .open_max(Duration::from_millis(50));
    breaker.build().unwrap()
}

fn never_open() -> CircuitBreaker {
    CircuitBreaker::builder("never")
        .min_calls(1_000_000)
        .build()
        .unwrap()
}

/// Only Redis decides, and an answer may take as long as this machine needs.
fn strict(server: &Server) -> RedisStoreBuilder {
    let store = server
        .store()
        .fallback(Fallback::Nothing)
        .breaker(breaker());
    store.timeout(Duration::from_secs(10))
}

/// Asks until the breaker is closed again.
async fn until_closed(store: &RedisStore) {
    let asking = async {
        while store.breaker().state() != State::Closed {
            let _ = store.decide(&hourly(&fresh("probe"), 2)).await;
            yield_now().await;
        }
    };
    timeout(PATIENCE, asking)
        .await
        .expect("redis is asked again");
}

/// Asks until Redis itself answers.
async fn until_answered(store: &RedisStore) {
    let asking = async {
        while store.decide(&hourly(&fresh("probe"), 2)).await.is_err() {
            yield_now().await;
        }
    };
    timeout(PATIENCE, asking)
        .await
        .expect("redis is asked again");
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn a_killed_redis_is_found_again_when_it_is_back() {
    let mut server = Server::start();
    let store = strict(&server).build().unwrap();
    let key = fresh("key");
    assert!(store.decide(&hourly(&key, 1)).await.unwrap().allowed);

    server.kill();
    let error = store.decide(&hourly(&key, 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let suspended = async {
        while !matches!(
            store.decide(&hourly(&key, 1)).await,
            Err(StoreError::Suspended(_))
        ) {
            yield_now().await;
        }
    };
    timeout(PATIENCE, suspended)
        .await
        .expect("the breaker opens");

    server.restart();
    until_closed(&store).await;
    // It has forgotten everything, the script included.
    assert!(store.decide(&hourly(&key, 1)).await.unwrap().allowed);
    assert!(!store.decide(&hourly(&key, 1)).await.unwrap().allowed);
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn a_redis_that_hangs_costs_a_few_timeouts_and_then_nothing() {
    let server = Server::start();
    let store = server
        .store()
        .fallback(Fallback::share_of(2))
        .breaker(breaker());
    let store = store.timeout(Duration::from_secs(1)).build().unwrap();
    let key = fresh("key");
    assert!(store.decide(&hourly(&key, 4)).await.unwrap().allowed);

    server.hang();
    // Half of four requests, counted here.
    let mut allowed = 0;
    for _ in 0..6 {
        allowed += u32::from(store.decide(&hourly(&key, 4)).await.unwrap().allowed);
    }
    assert_eq!(allowed, 2);
    assert_ne!(store.breaker().state(), State::Closed);

    server.resume();
    until_closed(&store).await;
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn a_silent_connection_is_given_up_though_nobody_closes_it() {
    let server = Server::start();
    // What is tested is the connection, not the breaker.
    let store = strict(&server)
        .breaker(never_open())
        .timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    until_answered(&store).await;
    assert!(format!("{store:?}").contains("\"up\""), "{store:?}");

    server.hang();
    let error = store.decide(&hourly(&fresh("key"), 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout(_)), "{error:?}");
    assert!(format!("{store:?}").contains("\"down\""), "{store:?}");
    server.resume();
    until_answered(&store).await;
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn a_flushed_script_is_sent_again() {
    let server = Server::start();
    let store = strict(&server).build().unwrap();
    let mut client = server.client().await;
    let key = fresh("key");
    for _ in 0..3 {
        assert!(store.decide(&hourly(&key, 3)).await.unwrap().allowed);
        let flush = ::redis::cmd("SCRIPT").arg("FLUSH").take();
        let () = flush.query_async(&mut client).await.unwrap();
    }
    assert!(!store.decide(&hourly(&key, 3)).await.unwrap().allowed);
    assert_eq!(store.breaker().state(), State::Closed);
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn a_key_of_somebody_else_fails_alone() {
    let server = Server::start();
    let store = strict(&server).build().unwrap();
    let key = fresh("key");
    store.decide(&hourly(&key, 1_000)).await.unwrap();
    let mut client = server.client().await;
    let names = ::redis::cmd("KEYS").arg("*").take();
    let names: Vec<String> = names.query_async(&mut client).await.unwrap();
    for value in ["list", "text", "12", "12:", ":5", "-1:0", "1:2:3", "1e9:0"] {
        let delete = ::redis::cmd("DEL").arg(&names[0]).take();
        let () = delete.query_async(&mut client).await.unwrap();
        let write = if value == "list" { "LPUSH" } else { "SET" };
        let write = ::redis::cmd(write).arg(&names[0]).arg(value).take();
        let () = write.query_async(&mut client).await.unwrap();
        for _ in 0..3 {
            let error = store.decide(&hourly(&key, 1_000)).await.unwrap_err();
            assert!(
                matches!(error, StoreError::Unavailable(_)),
                "{value}: {error:?}"
            );
        }
        let other = store.decide(&hourly(&fresh("other"), 1_000)).await;
        assert!(other.unwrap().allowed, "{value}");
    }
    assert_eq!(store.breaker().state(), State::Closed);
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn a_connection_to_what_became_a_replica_is_given_up() {
    let server = Server::start();
    let store = strict(&server).build().unwrap();
    until_answered(&store).await;
    let mut client = server.client().await;
    let follow = ::redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1).take();
    let () = follow.query_async(&mut client).await.unwrap();
    store.decide(&hourly(&fresh("key"), 9)).await.unwrap_err();
    assert!(format!("{store:?}").contains("\"down\""), "{store:?}");
    let lead = ::redis::cmd("REPLICAOF").arg("NO").arg("ONE").take();
    let () = lead.query_async(&mut client).await.unwrap();
    until_answered(&store).await;
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn a_dropped_decision_leaves_nothing_behind() {
    let server = Server::start();
    // One that opens only at failures: where every call is dropped, the default one takes Redis for hung.
    let store = strict(&server).breaker(never_open()).build().unwrap();
    let key = fresh("key");
    // Dropped at each await: while it connects, and while it waits for the answer.
    for polls in 0..20 {
        let demands = hourly(&key, 1_000_000);
        let mut deciding = tokio_test::task::spawn(store.decide(&demands));
        for _ in 0..polls {
            if deciding.poll().is_ready() {
                break;
            }
            yield_now().await;
        }
    }
    // The answers that nobody waits for are nobody else's.
    let other = fresh("other");
    let verdict = store.decide(&hourly(&other, 2)).await.unwrap();
    assert_eq!(verdict.ahead, [Duration::from_secs(1_800)]);
}

#[tokio::test]
async fn each_choice_does_what_it_says_where_nobody_listens() {
    let store = |choice| {
        let store = RedisStore::builder("redis://127.0.0.1:1/0").fallback(choice);
        store.timeout(Duration::from_secs(10)).build().unwrap()
    };
    let quota = Quota::per_hour(4);
    let demands = [Demand::new("a", quota, 1), Demand::new("b", quota, 1)];

    let closed = store(Fallback::Nothing);
    for _ in 0..20 {
        let error = closed.decide(&demands).await.unwrap_err();
        assert!(matches!(
            error,
            StoreError::Unavailable(_) | StoreError::Suspended(_)
        ));
    }
    let local = store(Fallback::share_of(2));
    for round in 0..5 {
        let verdict = local.decide(&demands).await.unwrap();
        assert_eq!(verdict.allowed, round < 2, "{round}");
    }
    local.refund(&demands).await.unwrap_err();
    assert!(local.decide(&demands).await.unwrap().allowed);
    assert!(local.decide(&[]).await.unwrap().allowed);
}

#[test]
fn a_runtime_that_ends_leaves_nobody_waiting() {
    let store = RedisStore::builder("redis://192.0.2.1:6379/0").fallback(Fallback::Nothing);
    let store = store.timeout(Duration::from_millis(50)).build().unwrap();
    let started = Instant::now();
    for _ in 0..3 {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let answer = runtime.block_on(store.decide(&hourly("a", 1)));
        answer.unwrap_err();
        drop(runtime);
        assert!(format!("{store:?}").contains("\"down\""), "{store:?}");
    }
    assert!(started.elapsed() < PATIENCE);
}
