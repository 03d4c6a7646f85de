//! The rules, under a paused clock.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use msf_core::{
    classify::{Classification, Classify},
    metrics::Metrics,
};
use tokio::{
    task::coop,
    time::{Instant, advance, sleep},
};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{
    budget::{Budget, Rule},
    hedge::{HedgeLayer, HedgePolicy, InvalidHedge},
    policies::{self, Kind},
};

const MS: Duration = Duration::from_millis(1);

/// What an attempt does: after so many milliseconds, this.
type Plan = (u32, Result<&'static str, &'static str>);

/// A callee that follows a script, attempt by attempt. It is not `Send`, and need not be.
#[derive(Clone)]
struct Script {
    plans: Rc<RefCell<Vec<Plan>>>,
    running: Rc<()>,
    begun: Rc<RefCell<u32>>,
}

impl Script {
    fn new(plans: &[Plan]) -> Self {
        let mut plans = plans.to_vec();
        plans.reverse();
        Self {
            plans: Rc::new(RefCell::new(plans)),
            running: Rc::new(()),
            begun: Rc::default(),
        }
    }

    /// Attempts that are neither done nor dropped.
    fn running(&self, services: usize) -> usize {
        Rc::strong_count(&self.running) - services
    }

    fn begun(&self) -> u32 {
        *self.begun.borrow()
    }
}

impl Service<()> for Script {
    type Response = &'static str;
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Result<&'static str, &'static str>>>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        *self.begun.borrow_mut() += 1;
        let (millis, outcome) = self.plans.borrow_mut().pop().unwrap_or((0, Ok("more")));
        let running = Rc::clone(&self.running);
        Box::pin(async move {
            let _running = running;
            if millis > 0 {
                sleep(MS * millis).await;
            }
            outcome
        })
    }
}

fn judge() -> impl Classify<&'static str, &'static str> + Clone {
    |outcome: Result<&&str, &&str>| match outcome {
        Ok(_) => Classification::SUCCESS,
        Err(&"refused") => Classification::IGNORE.refused(true),
        Err(_) => Classification::FAILURE,
    }
}

fn budget(min: u32) -> Budget {
    let rule = Rule::concurrency(0.0, min);
    Budget::builder("hedge test").rule(rule).build().unwrap()
}

fn policy() -> HedgePolicy {
    let builder = HedgePolicy::builder("x").after(50 * MS);
    builder.budget(budget(10)).build().unwrap()
}

/// The outcome, after how many milliseconds it came, and how many attempts there were.
async fn run(
    policy: HedgePolicy,
    plans: &[Plan],
) -> (Result<&'static str, &'static str>, u128, u32) {
    let script = Script::new(plans);
    let layer = HedgeLayer::new(policy, |(): &()| Some(())).classify(judge());
    let mut service = layer.layer(script.clone());
    let start = Instant::now();
    let outcome = service.ready().await.unwrap().call(()).await;
    drop(service);
    assert_eq!(script.running(1), 0, "no attempt is left");
    (outcome, start.elapsed().as_millis(), script.begun())
}

#[tokio::test(start_paused = true)]
async fn a_fast_call_is_made_once() {
    assert_eq!(run(policy(), &[(0, Ok("a"))]).await, (Ok("a"), 0, 1));
    assert_eq!(run(policy(), &[(49, Ok("a"))]).await, (Ok("a"), 49, 1));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_answers_first_wins() {
    let plans = [(900, Ok("a")), (10, Ok("b"))];
    assert_eq!(run(policy(), &plans).await, (Ok("b"), 60, 2));
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_can_win_after_the_hedge_began() {
    let plans = [(70, Ok("a")), (900, Ok("b"))];
    assert_eq!(run(policy(), &plans).await, (Ok("a"), 70, 2));
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_hedge_does_not_win() {
    let plans = [(900, Ok("a")), (10, Err("b"))];
    assert_eq!(run(policy(), &plans).await, (Ok("a"), 900, 2));
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_first_attempt_waits_for_the_hedge() {
    let plans = [(60, Err("a")), (100, Ok("b"))];
    assert_eq!(run(policy(), &plans).await, (Ok("b"), 150, 2));
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_the_caller_gets_the_first_attempts_error() {
    let plans = [(60, Err("a")), (100, Err("b"))];
    assert_eq!(run(policy(), &plans).await, (Err("a"), 150, 2));
    let plans = [(300, Err("a")), (100, Err("b"))];
    assert_eq!(run(policy(), &plans).await, (Err("a"), 300, 2));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_hedge_neither_wins_nor_fails_the_first_attempt() {
    let plans = [(300, Ok("a")), (0, Err("refused"))];
    assert_eq!(run(policy(), &plans).await, (Ok("a"), 300, 2));
    let plans = [(300, Err("a")), (0, Err("refused"))];
    assert_eq!(run(policy(), &plans).await, (Err("a"), 300, 2));
    let plans = [(300, Err("refused")), (0, Err("b"))];
    assert_eq!(run(policy(), &plans).await, (Err("b"), 300, 2));
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_fails_early_is_not_hedged() {
    assert_eq!(run(policy(), &[(10, Err("a"))]).await, (Err("a"), 10, 1));
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_survives_a_budget_that_is_used_up() {
    let budget = budget(1);
    let policy = HedgePolicy::builder("spent")
        .after(50 * MS)
        .budget(budget.clone());
    let policy = policy.build().unwrap();
    let held = budget.try_withdraw().unwrap();
    let plans = [(900, Ok("a")), (10, Ok("b"))];
    assert_eq!(run(policy.clone(), &plans).await, (Ok("a"), 900, 1));

    drop(held);
    assert_eq!(run(policy.clone(), &plans).await, (Ok("b"), 60, 2));
    assert!(budget.try_withdraw().is_some(), "the hedge gave it back");
    let snapshot = policies::snapshots()
        .into_iter()
        .find(|seen| seen.kind() == Kind::Hedge && seen.name() == "spent")
        .unwrap();
    assert_eq!(snapshot.figure("hedge_rate"), Some(0.5));
    drop(policy);
}

#[tokio::test(start_paused = true)]
async fn further_hedges_come_a_delay_apart_up_to_their_number() {
    let policy = HedgePolicy::builder("x").after(50 * MS).max_hedges(3);
    let policy = policy.budget(budget(10)).build().unwrap();
    let slow = (900, Ok("slow"));
    let plans = [slow, slow, slow, (20, Ok("fourth"))];
    assert_eq!(run(policy.clone(), &plans).await, (Ok("fourth"), 170, 4));
    assert_eq!(run(policy.clone(), &[slow; 5]).await, (Ok("slow"), 900, 4));
    let plans = [slow, slow, (20, Ok("third")), slow];
    assert_eq!(run(policy, &plans).await, (Ok("third"), 120, 3));
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_drops_all_attempts_and_frees_the_budget() {
    let budget = budget(1);
    let policy = HedgePolicy::builder("x")
        .after(50 * MS)
        .budget(budget.clone());
    let layer = HedgeLayer::new(policy.build().unwrap(), |(): &()| Some(())).classify(judge());
    for wait in [0, 10, 50, 60] {
        let script = Script::new(&[(900, Ok("a")), (900, Ok("b"))]);
        let mut service = layer.layer(script.clone());
        let call = service.ready().await.unwrap().call(());
        if wait == 0 {
            drop(call);
        } else {
            assert!(tokio::time::timeout(MS * wait, call).await.is_err());
        }
        drop(service);
        assert_eq!(script.running(1), 0, "after {wait} ms");
        assert!(budget.try_withdraw().is_some(), "after {wait} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn losers_are_dropped_when_the_winner_is_there_and_not_with_the_future() {
    for plans in [
        [(900, Ok("a")), (10, Ok("b"))],
        [(60, Ok("a")), (900, Ok("b"))],
    ] {
        let script = Script::new(&plans);
        let layer = HedgeLayer::new(policy(), |(): &()| Some(())).classify(judge());
        let mut service = layer.layer(script.clone());
        let mut call = std::pin::pin!(service.ready().await.unwrap().call(()));
        assert!(call.as_mut().await.is_ok());
        // The test's own script and the one in the service.
        assert_eq!(script.running(2), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_not_be_repeated_is_made_once() {
    let script = Script::new(&[(900, Ok("a")), (10, Ok("b"))]);
    let layer = HedgeLayer::new(policy(), |(): &()| None).classify(judge());
    assert_eq!(layer.layer(script.clone()).oneshot(()).await, Ok("a"));
    assert_eq!(script.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_hedged_before_enough_latencies_and_then_at_the_quantile() {
    let policy = HedgePolicy::builder("q")
        .after_quantile(0.9)
        .min_samples(10);
    let policy = policy.budget(budget(10)).build().unwrap();
    for _ in 0..10 {
        assert_eq!(policy.delay(), None);
        assert_eq!(run(policy.clone(), &[(100, Ok("a"))]).await.2, 1);
    }
    advance(Duration::from_millis(100)).await;
    assert_eq!(run(policy.clone(), &[(100, Ok("a"))]).await.2, 1);
    let delay = policy.delay().unwrap();
    assert!(delay > 100 * MS && delay < 108 * MS, "{delay:?}");

    let plans = [(900, Ok("a")), (10, Ok("b"))];
    let (outcome, millis, attempts) = run(policy, &plans).await;
    assert_eq!((outcome, attempts), (Ok("b"), 2));
    assert!((110..=118).contains(&millis), "{millis}");
}

#[tokio::test(start_paused = true)]
async fn calls_that_were_cut_off_keep_the_delay_from_shrinking() {
    let policy = HedgePolicy::builder("cut")
        .after_quantile(0.9)
        .min_samples(10);
    let policy = policy.budget(budget(10)).build().unwrap();
    // Half of the calls are slow. Without them the quantile would be 10 ms; with them it is above it.
    for _ in 0..20 {
        let _ = run(policy.clone(), &[(10, Ok("fast"))]).await;
        let _ = run(policy.clone(), &[(400, Ok("slow")), (10, Ok("hedge"))]).await;
    }
    advance(Duration::from_millis(100)).await;
    let _ = run(policy.clone(), &[(10, Ok("fast"))]).await;
    let before = policy.delay().unwrap();
    assert!(before > 20 * MS, "{before:?}");
    for _ in 0..30 {
        let _ = run(policy.clone(), &[(400, Ok("slow")), (10, Ok("hedge"))]).await;
        advance(Duration::from_millis(100)).await;
    }
    let _ = run(policy.clone(), &[(10, Ok("fast"))]).await;
    assert!(policy.delay().unwrap() >= before, "{:?}", policy.delay());
}

#[tokio::test(start_paused = true)]
async fn failures_are_no_latencies() {
    let policy = HedgePolicy::builder("f")
        .after_quantile(0.9)
        .min_samples(10);
    let policy = policy.budget(budget(10)).build().unwrap();
    for _ in 0..20 {
        let _ = run(policy.clone(), &[(0, Err("down"))])
            .await
            .0
            .unwrap_err();
        advance(Duration::from_millis(100)).await;
    }
    assert_eq!(policy.delay(), None);
}

#[tokio::test(start_paused = true)]
async fn metrics_say_how_often_a_hedge_helped() {
    let metrics = Metrics::new();
    let policy = HedgePolicy::builder("m").after(50 * MS).budget(budget(1));
    let policy = policy.metrics(&metrics).build().unwrap();
    let _ = run(policy.clone(), &[(10, Ok("a"))]).await;
    let _ = run(policy.clone(), &[(900, Ok("a")), (10, Ok("b"))]).await;
    let held = policy.budget().try_withdraw();
    let _ = run(policy.clone(), &[(900, Ok("a"))]).await;
    drop(held);
    let text = metrics.render();
    for line in [
        r#"msf_hedge_attempts_total{hedge="m"} 1"#,
        r#"msf_hedge_calls_total{hedge="m"} 3"#,
        r#"msf_hedge_delay_seconds{hedge="m"} 0.05"#,
        r#"msf_hedge_refused_total{hedge="m"} 1"#,
        r#"msf_hedge_won_total{hedge="m"} 1"#,
    ] {
        assert!(text.lines().any(|seen| seen == line), "{line}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn new_numbers_hold_for_the_next_call_and_bad_ones_change_nothing() {
    let policy = policy();
    let shorter = HedgePolicy::builder("x").after(20 * MS);
    policy.reconfigure(shorter).unwrap();
    let plans = [(900, Ok("a")), (10, Ok("b"))];
    assert_eq!(run(policy.clone(), &plans).await, (Ok("b"), 30, 2));
    let bad = HedgePolicy::builder("x").max_hedges(4);
    assert_eq!(policy.reconfigure(bad), Err(InvalidHedge::MaxHedges(4)));
    assert_eq!(policy.delay(), Some(20 * MS));
}

#[test]
fn a_knob_out_of_range_is_named() {
    let build = |builder: crate::hedge::HedgeBuilder| builder.build().unwrap_err();
    let new = || HedgePolicy::builder("x");
    assert_eq!(build(HedgePolicy::builder("")), InvalidHedge::Name);
    for delay in [Duration::ZERO, Duration::MAX] {
        assert_eq!(build(new().after(delay)), InvalidHedge::Delay(delay));
        if delay > Duration::ZERO {
            assert_eq!(build(new().min_delay(delay)), InvalidHedge::MinDelay(delay));
        }
        assert_eq!(build(new().window(delay)), InvalidHedge::Window(delay));
    }
    assert!(matches!(
        build(new().after_quantile(f64::NAN)),
        InvalidHedge::Quantile(_)
    ));
    assert_eq!(build(new().min_samples(9)), InvalidHedge::MinSamples(9));
    assert_eq!(build(new().max_hedges(0)), InvalidHedge::MaxHedges(0));
}

#[tokio::test(start_paused = true)]
async fn the_delay_follows_the_callee_after_the_window_was_changed() {
    let spent = budget(1);
    let _held = spent.try_withdraw().unwrap();
    for (before, after) in [(30, 60), (60, 30), (3600, 1)] {
        let new = |window| {
            HedgePolicy::builder("w")
                .after_quantile(0.9)
                .min_samples(10)
                .budget(spent.clone())
                .window(Duration::from_secs(window))
        };
        let policy = new(before).build().unwrap();
        let call = async |millis| {
            let _ = run(policy.clone(), &[(millis, Ok("a"))]).await;
        };
        for _ in 0..20 {
            call(10).await;
        }
        policy.reconfigure(new(after)).unwrap();
        call(10).await;
        let delay = policy.delay();
        assert!(
            delay.is_some_and(|delay| delay < 12 * MS),
            "what was observed stays: {before} to {after}: {delay:?}"
        );
        for _ in 0..3 {
            for _ in 0..20 {
                call(15).await;
            }
            advance(Duration::from_secs(after)).await;
        }
        for _ in 0..20 {
            call(500).await;
        }
        for _ in 0..3 {
            advance(Duration::from_secs(after)).await;
            for _ in 0..20 {
                call(100).await;
            }
        }
        let delay = policy.delay().unwrap();
        assert!(delay < 120 * MS, "{before} to {after}: {delay:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_that_is_given_up_counts_also_if_the_budget_allowed_no_hedge() {
    let spent = budget(1);
    let _held = spent.try_withdraw().unwrap();
    for repeats in [true, false] {
        let policy = HedgePolicy::builder("up")
            .after_quantile(0.9)
            .min_samples(10);
        let policy = policy.budget(spent.clone()).build().unwrap();
        for _ in 0..20 {
            let _ = run(policy.clone(), &[(10, Ok("a"))]).await;
            advance(Duration::from_millis(100)).await;
        }
        let layer = HedgeLayer::new(policy.clone(), move |(): &()| repeats.then_some(()));
        for _ in 0..40 {
            let script = Script::new(&[(60_000, Ok("a"))]);
            let call = layer.clone().classify(judge()).layer(script).oneshot(());
            assert!(tokio::time::timeout(300 * MS, call).await.is_err());
        }
        let _ = run(policy.clone(), &[(10, Ok("a"))]).await;
        let delay = policy.delay().unwrap();
        assert!(delay >= 300 * MS, "{delay:?}");
    }
}

/// A service of which clones never become ready.
struct Single(Script, bool);

impl Clone for Single {
    fn clone(&self) -> Self {
        Self(self.0.clone(), false)
    }
}

impl Service<()> for Single {
    type Response = &'static str;
    type Error = &'static str;
    type Future = <Script as Service<()>>::Future;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if self.1 {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.0.call(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_fails_does_not_wait_for_one_that_was_never_made() {
    for hedges in [1, 2] {
        let policy = HedgePolicy::builder("x").after(50 * MS).max_hedges(hedges);
        let policy = policy.budget(budget(10)).build().unwrap();
        let layer = HedgeLayer::new(policy, |(): &()| Some(())).classify(judge());
        for outcome in [Ok("a"), Err("a")] {
            let script = Script::new(&[(200, outcome)]);
            let mut service = layer.layer(Single(script, true));
            let call = service.ready().await.unwrap().call(());
            let seen = tokio::time::timeout(1000 * MS, call).await;
            assert_eq!(seen, Ok(outcome), "the hedge never becomes ready");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_free_when_the_winner_is_there_and_not_with_the_future() {
    for plans in [
        [(900, Ok("a")), (10, Ok("b"))],
        [(60, Ok("a")), (900, Ok("b"))],
        [(60, Err("a")), (10, Err("b"))],
    ] {
        // Of the first, what hedges hold is taken; to the second, what calls hold is given.
        for (rule, free) in [
            (Rule::concurrency(0.0, 1), 1),
            (Rule::concurrency(1.0, 0), 0),
        ] {
            let budget = Budget::builder("held").rule(rule).build().unwrap();
            let builder = HedgePolicy::builder("x").after(50 * MS);
            let policy = builder.budget(budget.clone()).build().unwrap();
            let layer = HedgeLayer::new(policy, |(): &()| Some(())).classify(judge());
            let script = Script::new(&plans);
            let mut service = layer.layer(script.clone());
            let mut call = std::pin::pin!(service.ready().await.unwrap().call(()));
            let _ = call.as_mut().await;
            assert_eq!(script.begun(), 2);
            assert_eq!(budget.available(), free, "{plans:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_first_attempt_cannot_keep_the_hedge_from_beginning() {
    let calls = std::sync::atomic::AtomicU32::new(0);
    let calls = std::sync::Arc::new(calls);
    let inner = service_fn(move |()| {
        let is_first = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        poll_fn(move |cx| {
            if !is_first {
                return Poll::Ready(Ok::<_, &'static str>("b"));
            }
            // Uses up all that the task may do before it must yield.
            while let Poll::Ready(budget) = coop::poll_proceed(cx) {
                budget.made_progress();
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    });
    let layer = HedgeLayer::new(policy(), |(): &()| Some(())).classify(judge());
    let mut service = layer.layer(inner);
    let call = msf_core::task::spawn("busy", async move {
        tokio::select! {
            biased;
            answer = service.call(()) => answer,
            () = gives_up(1000) => Err("never hedged"),
        }
    });
    advance(40 * MS).await;
    advance(60 * MS).await;
    assert_eq!(call.join().await.unwrap(), Ok("b"));
}

/// Ends after so many polls.
fn gives_up(mut polls: u32) -> impl Future<Output = ()> {
    poll_fn(move |_| {
        polls -= 1;
        if polls == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_since_the_last_scrape_is_not_lost_with_the_policy() {
    let metrics = Metrics::new();
    let policy = HedgePolicy::builder("gone")
        .after(50 * MS)
        .budget(budget(1));
    let policy = policy.metrics(&metrics).build().unwrap();
    let _ = run(policy, &[(900, Ok("a")), (10, Ok("b"))]).await;
    let text = metrics.render();
    for line in [
        r#"msf_hedge_attempts_total{hedge="gone"} 1"#,
        r#"msf_hedge_calls_total{hedge="gone"} 1"#,
        r#"msf_hedge_won_total{hedge="gone"} 1"#,
    ] {
        assert!(text.lines().any(|seen| seen == line), "{line}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_before_the_delay_says_nothing() {
    let policy = HedgePolicy::builder("early")
        .after_quantile(0.9)
        .min_samples(10);
    let policy = policy.budget(budget(10)).build().unwrap();
    for _ in 0..20 {
        let _ = run(policy.clone(), &[(100, Ok("a"))]).await;
    }
    let _ = run(policy.clone(), &[(100, Ok("a"))]).await;
    let before = policy.delay().unwrap();
    let layer = HedgeLayer::new(policy.clone(), |(): &()| Some(())).classify(judge());
    for _ in 0..400 {
        let call = layer.layer(Script::new(&[(100, Ok("a"))])).oneshot(());
        assert!(tokio::time::timeout(5 * MS, call).await.is_err());
    }
    let _ = run(policy.clone(), &[(100, Ok("a"))]).await;
    assert_eq!(policy.delay(), Some(before));
}
