//! Hedge, fallback, coalescing and fault injection: tower's contract, and no allocation on success.

use std::{
    convert::Infallible,
    future::{pending, ready},
    time::Duration,
};

use http::{Request, Response};
use http_body_util::Empty;
use msf_core::{
    classify::{Classification, Classify},
    metrics::Metrics,
    testing::{NotReady, StatefulInner, allocations},
};
use msf_resilience::{
    Attempt,
    budget::{Budget, Rule},
    circuit_breaker::{CircuitBreaker, CircuitBreakerLayer},
    coalesce::{Coalesce, CoalesceLayer},
    fallback::{self, Fallback, FallbackLayer},
    fault::{FaultLayer, Faults},
    hedge::{HedgeLayer, HedgePolicy},
};
use tokio::{
    join,
    time::{sleep, timeout},
};
use tokio_test::block_on;
use tower::{Layer, Service, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);

fn judge() -> impl Classify<u16, NotReady> + Clone {
    |outcome: Result<&u16, &NotReady>| match outcome {
        Ok(status) if *status < 500 => Classification::SUCCESS,
        _ => Classification::FAILURE,
    }
}

fn hedge() -> HedgePolicy {
    let budget = Budget::builder("hedges").rule(Rule::concurrency(0.0, 100));
    let builder = HedgePolicy::builder("x").after(50 * MS);
    builder.budget(budget.build().unwrap()).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn none_of_them_calls_a_service_that_is_not_ready() {
    let probe = StatefulInner::new(|status: u16| status);
    let off = Faults::builder("x").error(0.5).build().unwrap();
    let faulty = Faults::builder("x").error(0.5).build().unwrap();
    faulty.enable();
    let named = Fallback::builder("x").build().unwrap();
    let backup = fallback::service(probe.clone(), |status: &u16| Some(*status));
    let coalesce = Coalesce::builder("x").build().unwrap();

    let mut hedged = HedgeLayer::new(hedge(), |status: &u16| Some(*status))
        .classify(judge())
        .layer(probe.clone());
    let mut off = FaultLayer::new(off).layer(probe.clone());
    let mut faulty = FaultLayer::new(faulty).layer(probe.clone());
    let mut falls_back = FallbackLayer::new(named, backup)
        .classify(judge())
        .layer(probe.clone());
    let mut coalesced =
        CoalesceLayer::new(coalesce, |status: &u16| Some(*status)).layer(probe.clone());
    for status in [200, 500, 200, 500] {
        hedged.ready().await.unwrap().call(status).await.unwrap();
        hedged.clone().oneshot(status).await.unwrap();
        off.ready().await.unwrap().call(status).await.unwrap();
        off.clone().oneshot(status).await.unwrap();
        faulty.ready().await.unwrap().call(status).await.ok();
        faulty.clone().oneshot(status).await.ok();
        falls_back
            .ready()
            .await
            .unwrap()
            .call(status)
            .await
            .unwrap();
        falls_back.clone().oneshot(status).await.unwrap();
        coalesced.ready().await.unwrap().call(status).await.unwrap();
        coalesced.clone().oneshot(status).await.unwrap();
        // A follower whose leader is gone calls its clone.
        let leader = coalesced.ready().await.unwrap().call(status);
        let follower = coalesced.ready().await.unwrap().call(status);
        drop(leader);
        follower.await.unwrap();
    }
    assert_eq!(probe.violations(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_made_by_a_clone_that_said_it_is_ready() {
    let probe = StatefulInner::new(|status: u16| status);
    // The first attempt hangs outside of the probe, the second reaches it.
    let first = std::sync::atomic::AtomicBool::new(true);
    let first = std::sync::Arc::new(first);
    let inner = tower::util::BoxCloneSyncService::new(service_fn({
        let probe = probe.clone();
        move |status: u16| {
            let (probe, first) = (probe.clone(), first.clone());
            async move {
                if first.swap(false, std::sync::atomic::Ordering::Relaxed) {
                    return pending().await;
                }
                probe.oneshot(status).await
            }
        }
    }));
    let layer = HedgeLayer::new(hedge(), |status: &u16| Some(*status)).classify(judge());
    assert_eq!(layer.layer(inner).oneshot(200).await, Ok(200));
    assert_eq!(probe.violations(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_attempt_that_loses_is_cancelled_to_a_breaker_inside() {
    let metrics = Metrics::new();
    let breaker = CircuitBreaker::builder("b")
        .metrics(&metrics)
        .build()
        .unwrap();
    let inner = service_fn(|request: Request<Empty<bytes::Bytes>>| async move {
        let number = Attempt::of(request.extensions()).number();
        sleep(if number == 1 { 900 * MS } else { 10 * MS }).await;
        Ok::<_, Infallible>(Response::new(number))
    });
    let inner = CircuitBreakerLayer::new(breaker.clone()).layer(inner);
    let service = HedgeLayer::answering(hedge()).layer(inner);
    let answer = service.oneshot(Request::new(Empty::new())).await.unwrap();
    assert_eq!(*answer.body(), 2);
    let text = metrics.render();
    for outcome in ["cancelled", "success"] {
        let line = format!(r#"msf_breaker_calls_total{{breaker="b",outcome="{outcome}"}} 1"#);
        assert!(text.lines().any(|seen| seen == line), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_knows_the_host_of_the_first_attempt() {
    let inner = service_fn(|request: Request<Empty<bytes::Bytes>>| async move {
        let attempt = Attempt::of(request.extensions());
        let tried: Vec<_> = attempt.tried().iter().map(ToString::to_string).collect();
        attempt.record_host(format!("10.0.0.{}:80", attempt.number()));
        sleep(if attempt.number() < 3 {
            900 * MS
        } else {
            10 * MS
        })
        .await;
        Ok::<_, Infallible>(Response::new(tried))
    });
    let budget = Budget::builder("hosts").rule(Rule::concurrency(0.0, 100));
    let policy = HedgePolicy::builder("hosts").after(50 * MS).max_hedges(2);
    let policy = policy.budget(budget.build().unwrap()).build().unwrap();
    let service = HedgeLayer::answering(policy).track_hosts().layer(inner);
    let answer = service.oneshot(Request::new(Empty::new())).await.unwrap();
    assert_eq!(*answer.body(), ["10.0.0.1:80", "10.0.0.2:80"]);
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_repeated_is_hedged_and_nothing_past_its_deadline() {
    use msf_core::deadline::Deadline;

    let attempts = std::sync::atomic::AtomicU32::new(0);
    let inner = service_fn(|_: Request<Empty<bytes::Bytes>>| async {
        attempts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        sleep(100 * MS).await;
        Ok::<_, Infallible>(Response::new(()))
    });
    let layer = HedgeLayer::answering(hedge());
    let made = async |request: Request<Empty<bytes::Bytes>>| {
        attempts.store(0, std::sync::atomic::Ordering::Relaxed);
        layer.layer(inner).oneshot(request).await.unwrap();
        attempts.load(std::sync::atomic::Ordering::Relaxed)
    };
    let request = |method: &str| Request::builder().method(method);
    assert_eq!(made(request("GET").body(Empty::new()).unwrap()).await, 2);
    assert_eq!(made(request("PUT").body(Empty::new()).unwrap()).await, 2);
    assert_eq!(made(request("POST").body(Empty::new()).unwrap()).await, 1);
    let keyed = request("POST").header("idempotency-key", "7");
    assert_eq!(made(keyed.body(Empty::new()).unwrap()).await, 2);
    for (left, expected) in [(40, 1), (50, 1), (60, 2)] {
        let mut late = request("GET").body(Empty::new()).unwrap();
        Deadline::after(left * MS).tighten(late.extensions_mut());
        assert_eq!(made(late).await, expected, "{left} ms are left");
    }
}

/// Allocations of so many calls, after one that may warm something up.
fn count<S>(mut service: S) -> u64
where
    S: Service<u16, Response = u16>,
{
    let mut run = || {
        let outcome = block_on(async {
            let Ok(service) = service.ready().await else {
                return false;
            };
            service.call(200).await.is_ok()
        });
        assert!(outcome);
    };
    run();
    allocations(|| (0..100).for_each(|_| run())).count
}

#[test]
fn success_allocates_nothing() {
    let metrics = Metrics::new();
    let inner = service_fn(|status: u16| ready(Ok::<_, Infallible>(status)));
    let good = |_: Result<&u16, &Infallible>| Classification::SUCCESS;
    let bare = count(inner);

    let policy = hedge();
    let hedged = HedgeLayer::new(policy, |status: &u16| Some(*status)).classify(good);
    assert_eq!(count(hedged.layer(inner)), bare, "fixed hedge");
    let policy = HedgePolicy::builder("q").min_samples(10).metrics(&metrics);
    let policy = policy.build().unwrap();
    let hedged = HedgeLayer::new(policy, |status: &u16| Some(*status)).classify(good);
    assert_eq!(count(hedged.layer(inner)), bare, "hedge by quantile");

    let named = Fallback::builder("x").metrics(&metrics).build().unwrap();
    let with = FallbackLayer::new(named.clone(), fallback::value(1_u16)).classify(good);
    assert_eq!(count(with.layer(inner)), bare, "fallback");
    let backup = fallback::service(inner, |status: &u16| Some(*status));
    let with = FallbackLayer::new(named, backup).classify(good);
    assert_eq!(count(with.layer(inner)), bare, "fallback to a service");

    let faults = Faults::builder("x")
        .error(0.0001)
        .metrics(&metrics)
        .build()
        .unwrap();
    assert_eq!(
        count(FaultLayer::new(faults.clone()).layer(inner)),
        bare,
        "faults off"
    );
    faults.reconfigure(Faults::builder("x")).unwrap();
    faults.enable();
    assert_eq!(
        count(FaultLayer::new(faults).layer(inner)),
        bare,
        "faults on"
    );

    let coalesce = Coalesce::builder("x").metrics(&metrics).build().unwrap();
    let layer = CoalesceLayer::new(coalesce, |status: &u16| Some(*status));
    assert_eq!(count(layer.layer(inner)), bare, "coalesce");
}

#[tokio::test(start_paused = true)]
async fn faults_show_whether_a_hedge_helps() {
    let faults = Faults::builder("exercise")
        .hang(0.2)
        .seed(1)
        .build()
        .unwrap();
    let inner = service_fn(|status: u16| ready(Ok::<_, NotReady>(status)));
    let inner = FaultLayer::failing(faults.clone(), |_| NotReady).layer(inner);
    let service = HedgeLayer::new(hedge(), |status: &u16| Some(*status))
        .classify(judge())
        .layer(inner);
    faults.enable();
    let mut answered = 0;
    for _ in 0..100 {
        let call = timeout(200 * MS, service.clone().oneshot(200));
        if let Ok(answer) = call.await {
            assert_eq!(answer, Ok(200));
            answered += 1;
        }
    }
    // One attempt of five hangs, so without hedges it would be 80. The hedge of a hang hangs only if it is in the next five.
    assert!(answered > 95, "{answered}");
    faults.disable();
    let (a, b) = join!(service.clone().oneshot(1), service.oneshot(2));
    assert_eq!((a, b), (Ok(1), Ok(2)));
}
