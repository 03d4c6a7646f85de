//! What a retry promises: one test per rule, and per trap.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{pending, ready},
    io,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use msf_core::{
    backoff::{Backoff, Jitter},
    classify::{Classification, Http},
    clock,
    deadline::Deadline,
    metrics::Metrics,
    problem::{Code, Problem},
};
use tokio_test::{assert_pending, task};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{
    Config, Error, Exhausted, GiveUp, InvalidRetryPolicy, RetryLayer, RetryPolicy,
    RetryPolicyBuilder,
};
use crate::{
    Attempt, Through,
    budget::{Budget, Rule},
    circuit_breaker::{self, CircuitBreaker, CircuitBreakerLayer},
    policies::{self, Kind},
    replay::ReplayBody,
    timeout::{self, TimeoutLayer},
};

const MS: Duration = Duration::from_millis(1);

type Sent = Request<ReplayBody<Full<Bytes>>>;

/// Answers in turn, then for ever 200; remembers what it was called with.
#[derive(Clone, Default)]
struct Callee {
    answers: Arc<Mutex<VecDeque<Response<Bytes>>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

struct Seen {
    attempt: Attempt,
    body: Bytes,
    after: Duration,
}

impl Callee {
    fn new(answers: impl IntoIterator<Item = Response<Bytes>>) -> Self {
        let callee = Self::default();
        callee.answers.lock().unwrap().extend(answers);
        callee
    }

    fn statuses(statuses: impl IntoIterator<Item = u16>) -> Self {
        Self::new(statuses.into_iter().map(answer))
    }

    fn service(
        &self,
    ) -> impl Service<Sent, Response = Response<Bytes>, Error = Infallible, Future: Send> + Clone + use<>
    {
        let (callee, begun) = (self.clone(), clock::now());
        service_fn(move |request: Sent| {
            let callee = callee.clone();
            async move {
                let (parts, body) = request.into_parts();
                let attempt = Attempt::of(&parts.extensions);
                attempt.record_host(format!("host-{}", attempt.number()));
                let body = body.collect().await.unwrap().to_bytes();
                let after = clock::now() - begun;
                callee.seen.lock().unwrap().push(Seen {
                    attempt,
                    body,
                    after,
                });
                let next = callee.answers.lock().unwrap().pop_front();
                Ok(next.unwrap_or_default())
            }
        })
    }

    fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn waits(&self) -> Vec<Duration> {
        let seen = self.seen.lock().unwrap();
        seen.windows(2)
            .map(|pair| pair[1].after - pair[0].after)
            .collect()
    }
}

fn answer(status: u16) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .body(Bytes::new())
        .unwrap()
}

fn throttling(status: u16, retry_after: &str) -> Response<Bytes> {
    let response = Response::builder()
        .status(status)
        .header("retry-after", retry_after);
    response.body(Bytes::new()).unwrap()
}

fn get() -> Request<Full<Bytes>> {
    Request::new(Full::default())
}

fn put(body: &'static str) -> Request<Full<Bytes>> {
    Request::put("/").body(body.into()).unwrap()
}

fn exact(base_ms: u32) -> Backoff {
    let backoff = Backoff::exponential(base_ms * MS, Duration::from_secs(20)).unwrap();
    backoff.jitter(Jitter::None)
}

/// Waits that can be compared.
fn builder() -> RetryPolicyBuilder {
    let builder = RetryPolicy::builder("callee");
    builder.transient(exact(50)).throttled(exact(1000))
}

async fn call(policy: &RetryPolicy, callee: &Callee, request: Request<Full<Bytes>>) -> StatusCode {
    let service = RetryLayer::new(policy.clone()).layer(callee.service());
    service.oneshot(request).await.unwrap().status()
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_retried_with_the_same_body_and_a_number() {
    let callee = Callee::statuses([502, 500]);
    let policy = builder().build().unwrap();
    assert_eq!(call(&policy, &callee, put("order 7")).await, 200);
    let seen = callee.seen.lock().unwrap();
    let numbers: Vec<_> = seen.iter().map(|seen| seen.attempt.number()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(seen.iter().all(|seen| seen.body == "order 7"));
    drop(seen);
    assert_eq!(callee.waits(), [50 * MS, 100 * MS]);
}

#[tokio::test(start_paused = true)]
async fn three_attempts_and_the_last_answer_by_default() {
    let callee = Callee::statuses([500, 502, 503, 504]);
    let policy = RetryPolicy::builder("callee").build().unwrap();
    assert_eq!(call(&policy, &callee, get()).await, 503);
    assert_eq!(callee.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_failure_is_not_retried() {
    for status in [200, 304, 400, 404, 409, 501] {
        let callee = Callee::statuses([status]);
        let policy = builder().build().unwrap();
        assert_eq!(call(&policy, &callee, get()).await, status);
        assert_eq!(callee.calls(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_requests_that_may_be_made_twice_are() {
    let calls = async |policy: &RetryPolicy, method: Method, key: bool| {
        let callee = Callee::statuses([500]);
        let mut request = Request::builder().method(method);
        if key {
            request = request.header("idempotency-key", "4711");
        }
        call(policy, &callee, request.body(Full::default()).unwrap()).await;
        callee.calls()
    };
    let policy = builder().build().unwrap();
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
        assert_eq!(
            calls(&policy, method.parse().unwrap(), false).await,
            2,
            "{method}"
        );
    }
    for method in ["POST", "PATCH", "CONNECT", "PURGE"] {
        assert_eq!(
            calls(&policy, method.parse().unwrap(), false).await,
            1,
            "{method}"
        );
        let keyed = calls(&policy, method.parse().unwrap(), true).await;
        // What goes through a tunnel has no key.
        let expected = if method == "CONNECT" { 1 } else { 2 };
        assert_eq!(keyed, expected, "{method}");
    }
    let posts = builder().methods([Method::POST]).build().unwrap();
    assert_eq!(calls(&posts, Method::POST, false).await, 2);
    assert_eq!(calls(&posts, Method::GET, false).await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_that_names_nothing_does_not_count() {
    for (keys, expected) in [
        (&["4711"][..], 2),
        (&["\"4711\""], 2),
        (&[""], 1),
        (&["  "], 1),
        (&["\"\""], 1),
        (&["1", "2"], 1),
    ] {
        let callee = Callee::statuses([500]);
        let request = keys.iter().fold(Request::post("/"), |request, key| {
            request.header("idempotency-key", *key)
        });
        let policy = builder().build().unwrap();
        call(&policy, &callee, request.body(Full::default()).unwrap()).await;
        assert_eq!(callee.calls(), expected, "{keys:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_is_an_answer_and_is_passed_on() {
    #[derive(Clone, Debug, PartialEq)]
    struct Upgraded(u8);
    let mut switching = answer(101);
    switching.extensions_mut().insert(Upgraded(7));
    let callee = Callee::new([answer(502), switching]);
    let request = Request::get("/").header("upgrade", "websocket");
    let service = RetryLayer::new(builder().build().unwrap()).layer(callee.service());
    let request = request.body(Full::default()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!((response.status().as_u16(), callee.calls()), (101, 2));
    assert_eq!(response.extensions().get(), Some(&Upgraded(7)));
}

#[tokio::test(start_paused = true)]
async fn a_closure_decides_instead_of_the_method() {
    let callee = Callee::statuses([500]);
    let layer = RetryLayer::new(builder().build().unwrap())
        .retry_if(|request: &Request<Full<Bytes>>| request.uri().path() == "/search");
    let request = Request::post("/search").body(Full::default()).unwrap();
    let answer = layer
        .layer(callee.service())
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!((answer.status().as_u16(), callee.calls()), (200, 2));
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_limit_goes_out_once() {
    let metrics = Metrics::new();
    let callee = Callee::statuses([500]);
    let policy = builder().body_limit(4).metrics(&metrics).build().unwrap();
    assert_eq!(call(&policy, &callee, put("12345")).await, 500);
    assert_eq!(callee.calls(), 1);
    let line = r#"msf_retry_give_ups_total{reason="not_repeatable",retry="callee"} 1"#;
    assert!(metrics.render().contains(line), "{}", metrics.render());
    let callee = Callee::statuses([500]);
    assert_eq!(call(&policy, &callee, put("1234")).await, 200);
}

#[tokio::test(start_paused = true)]
async fn throttled_calls_wait_longer_and_retry_after_is_a_floor_below_the_jitter() {
    let policy = builder().build().unwrap();
    let callee = Callee::new([answer(429)]);
    assert_eq!(call(&policy, &callee, get()).await, 200);
    assert_eq!(callee.waits(), [1000 * MS]);

    let callee = Callee::new([throttling(503, "7"), throttling(429, "0")]);
    assert_eq!(call(&policy, &callee, get()).await, 200);
    assert_eq!(callee.waits(), [8000 * MS, 2000 * MS]);

    let spread = RetryPolicy::builder("x").build().unwrap();
    let mut waits = Vec::new();
    for _ in 0..20 {
        let callee = Callee::new([throttling(503, "7")]);
        call(&spread, &callee, get()).await;
        waits.extend(callee.waits());
    }
    assert!(
        waits
            .iter()
            .all(|wait| (7000 * MS..=8001 * MS).contains(wait))
    );
    assert!(waits.iter().min() < waits.iter().max(), "no herd");
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_above_the_cap_ends_the_retries() {
    let callee = Callee::new([throttling(503, "21")]);
    let policy = builder().build().unwrap();
    let begun = clock::now();
    assert_eq!(call(&policy, &callee, get()).await, 503);
    assert_eq!((callee.calls(), clock::now()), (1, begun));
    let policy = builder().retry_after_max(30_000 * MS).build().unwrap();
    let callee = Callee::new([throttling(503, "21")]);
    assert_eq!(call(&policy, &callee, get()).await, 200);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_past_the_deadline() {
    let policy = builder().build().unwrap();
    // A timer may be a millisecond late, and who has less than one left cannot use it.
    for (left, calls) in [(50, 1), (51, 1), (52, 2), (151, 2), (152, 3)] {
        let callee = Callee::statuses([500, 500, 500]);
        let mut request = get();
        request.extensions_mut().insert(Deadline::after(left * MS));
        let deadline = Deadline::of(request.extensions()).unwrap();
        assert_eq!(call(&policy, &callee, request).await, 500);
        assert_eq!(callee.calls(), calls, "{left} ms");
        assert!(!deadline.is_expired());
    }
}

#[tokio::test(start_paused = true)]
async fn a_give_up_for_lack_of_time_or_attempts_is_not_charged() {
    let budget = Budget::builder("b")
        .rule(Rule::quota(14, 14, 14))
        .build()
        .unwrap();
    let policy = builder().budget(&budget).build().unwrap();
    let callee = Callee::statuses([500]);
    let mut request = get();
    request.extensions_mut().insert(Deadline::after(9 * MS));
    call(&policy, &callee, request).await;
    let callee = Callee::new([throttling(503, "60")]);
    call(&policy, &callee, get()).await;
    let once = builder().max_attempts(1).budget(&budget).build().unwrap();
    call(&once, &Callee::statuses([500]), get()).await;
    assert_eq!(budget.available(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_used_up_budget_ends_the_retries_with_the_last_answer_or_a_refusal() {
    let rule = Rule::quota(14, 14, 14);
    let callee = Callee::statuses([500, 502, 504]);
    let policy = builder().budget_rule(rule).build().unwrap();
    assert_eq!(call(&policy, &callee, get()).await, 502);

    let refusing = builder()
        .budget_rule(rule)
        .exhausted(Exhausted::Refuse)
        .build()
        .unwrap();
    let callee = Callee::statuses([500, 502, 504]);
    let typed = RetryLayer::new(refusing.clone()).layer(callee.service());
    let Err(Error::BudgetExhausted(exhausted)) = typed.oneshot(get()).await else {
        panic!("the second failure finds no tokens");
    };
    assert_eq!(exhausted.name(), "callee");
    let answering =
        RetryLayer::answering(refusing.clone()).layer(Callee::statuses([500]).service());
    let answer = answering.oneshot(get()).await.unwrap();
    assert_eq!(answer.status(), 503);
    let code = answer.extensions().get::<Code>();
    assert_eq!(code, Some(&Code::RetryBudgetExhausted));
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_the_load_grows_by_the_ratio() {
    let rule = Rule::deposits(0.2, 0, Duration::from_secs(600));
    let policy = builder()
        .transient(exact(1))
        .budget_rule(rule)
        .build()
        .unwrap();
    let callee = Callee::statuses(std::iter::repeat_n(500, 5000));
    for _ in 0..1000 {
        call(&policy, &callee, get()).await;
    }
    assert_eq!(callee.calls(), 1200);
}

#[tokio::test(start_paused = true)]
async fn a_success_after_a_retry_pays_the_quota_back() {
    let policy = builder()
        .budget_rule(Rule::quota(14, 14, 5))
        .build()
        .unwrap();
    for _ in 0..10 {
        assert_eq!(call(&policy, &Callee::statuses([500]), get()).await, 200);
    }
    let budget = policy.budget().unwrap();
    assert_eq!(budget.available(), 1);
    assert_eq!(
        call(&policy, &Callee::statuses([500, 500]), get()).await,
        500
    );
    assert_eq!(budget.available(), 0);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_an_open_breaker_inside_are_neither_repeated_nor_charged() {
    let budget = Budget::builder("b")
        .rule(Rule::quota(140, 14, 5))
        .build()
        .unwrap();
    let policy = builder().budget(&budget).build().unwrap();
    let breaker = CircuitBreaker::builder("callee")
        .min_calls(1)
        .build()
        .unwrap();
    let open = breaker.try_acquire().unwrap();
    open.complete(&Classification::FAILURE);
    let callee = Callee::default();

    let typed = RetryLayer::new(policy.clone())
        .classify(Through(Http::default()))
        .layer(CircuitBreakerLayer::new(breaker.clone()).layer(callee.service()));
    let refused = typed.oneshot(get()).await;
    assert!(matches!(
        refused,
        Err(Error::Inner(circuit_breaker::Error::Open(_)))
    ));

    let answering = RetryLayer::new(policy)
        .layer(CircuitBreakerLayer::answering(breaker).layer(callee.service()));
    let begun = clock::now();
    assert_eq!(answering.oneshot(get()).await.unwrap().status(), 503);
    assert_eq!(clock::now(), begun, "nobody waited");
    assert_eq!((callee.calls(), budget.available()), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn a_problem_that_a_callee_sent_is_retried_though_its_code_is_a_refusal() {
    // What came over the wire has no code in its extensions: it is the callee's trouble, not ours.
    let mut sent: Response<Bytes> = Problem::new(Code::BreakerOpen).into_response();
    sent.extensions_mut().clear();
    let callee = Callee::new([sent]);
    let policy = builder().build().unwrap();
    assert_eq!(call(&policy, &callee, get()).await, 200);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_timed_out_is_retried_and_one_cut_by_the_deadline_is_not() {
    let layer = TimeoutLayer::new(100 * MS).until_deadline();
    let hang = service_fn(|_: Sent| pending::<Result<Response<Bytes>, Infallible>>());
    let retry = RetryLayer::new(builder().build().unwrap()).classify(Through(Http::default()));
    let service = retry.layer(layer.layer(hang));
    let elapsed = async |request| {
        let begun = clock::now();
        match service.clone().oneshot(request).await {
            Err(Error::Inner(timeout::Error::Elapsed(elapsed))) => {
                (elapsed.is_deadline(), clock::now() - begun)
            }
            other => panic!("{other:?}"),
        }
    };
    let (by_deadline, after) = elapsed(get()).await;
    // 3 attempts of 100 ms, waits of 50 and 100 ms; timers round up to milliseconds.
    assert!(
        !by_deadline && (450 * MS..456 * MS).contains(&after),
        "{after:?}"
    );
    let mut hurried = get();
    hurried.extensions_mut().insert(Deadline::after(200 * MS));
    let (by_deadline, after) = elapsed(hurried).await;
    assert!(by_deadline && after <= 202 * MS, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn hosts_are_remembered_if_asked_for() {
    let policy = builder().track_hosts(true).build().unwrap();
    let callee = Callee::statuses([500, 500]);
    let mut marked = get();
    // By a retry outside that does not ask for hosts.
    marked.extensions_mut().insert(Attempt::first());
    call(&policy, &callee, marked).await;
    let seen = callee.seen.lock().unwrap();
    let tried: Vec<Vec<&str>> = seen
        .iter()
        .map(|seen| seen.attempt.tried().iter().map(|host| &**host).collect())
        .collect();
    assert_eq!(tried, [vec![], vec!["host-1"], vec!["host-1", "host-2"]]);
}

#[tokio::test(start_paused = true)]
async fn any_request_that_can_be_cloned_can_be_retried() {
    let calls = &Mutex::new(0);
    let inner = service_fn(move |n: u32| {
        *calls.lock().unwrap() += 1;
        let first = *calls.lock().unwrap() == 1;
        ready(if first {
            Err(io::Error::other("reset"))
        } else {
            Ok(n)
        })
    });
    let layer = RetryLayer::cloning(builder().build().unwrap()).classify(
        |outcome: Result<&u32, &io::Error>| match outcome {
            Ok(_) => Classification::SUCCESS,
            Err(_) => Classification::FAILURE,
        },
    );
    assert_eq!(layer.layer(inner).oneshot(7).await.unwrap(), 7);
    let never = layer.retry_if(|_: &u32| false);
    *calls.lock().unwrap() = 0;
    assert!(never.layer(inner).oneshot(7).await.is_err());
    assert_eq!(*calls.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_may_outlive_its_policy() {
    // `oneshot` drops the service when it has called it, and with it the last handle of the policy.
    let callee = Callee::statuses([500]);
    let layer = RetryLayer::new(builder().build().unwrap());
    let answer = layer.layer(callee.service());
    drop(layer);
    assert_eq!(answer.oneshot(get()).await.unwrap().status(), 200);
    assert_eq!(callee.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_retry_leaves_the_budget_and_counts_nothing_twice() {
    let metrics = Metrics::new();
    let budget = Budget::builder("b")
        .rule(Rule::concurrency(1.0, 1))
        .build()
        .unwrap();
    let policy = builder().budget(&budget).metrics(&metrics).build().unwrap();
    let callee = Callee::statuses([500, 500, 500]);
    let mut future = task::spawn(RetryLayer::new(policy).layer(callee.service()).call(get()));
    let other = budget.deposit();
    assert_eq!(budget.available(), 2, "two calls in flight");
    assert_pending!(future.poll());
    assert_eq!(budget.available(), 1, "a retry waits");
    drop(future);
    assert_eq!(budget.available(), 1, "one call, no retry");
    drop(other);
    assert_eq!(callee.calls(), 1);
    let text = metrics.render();
    assert!(text.contains(r#"msf_retry_retries_total{class="transient",retry="callee"} 0"#));
    assert!(!text.contains(r#"reason="attempts",retry="callee"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_dropped_before_it_is_made_is_neither_charged_nor_counted() {
    for rule in [
        Rule::deposits(0.0, 1, Duration::from_secs(1)),
        Rule::concurrency(0.0, 1),
        Rule::quota(14, 14, 14),
    ] {
        let metrics = Metrics::new();
        let policy = builder().budget_rule(rule).metrics(&metrics);
        let policy = policy.build().unwrap();
        let budget = policy.budget().unwrap().clone();
        let callee = Callee::statuses([500, 500]);
        let service = RetryLayer::new(policy).layer(callee.service());
        let mut future = task::spawn(service.clone().call(get()));
        assert_pending!(future.poll());
        assert_eq!(budget.available(), 0, "{rule:?}: the retry waits");
        drop(future);
        assert_eq!(budget.available(), 1, "{rule:?}");
        let attempts = r#"msf_retry_attempts_total{retry="callee"} 1"#;
        assert!(metrics.render().contains(attempts), "{}", metrics.render());

        // One that was made stays charged, unless it goes well or is over.
        let mut future = task::spawn(service.clone().oneshot(get()));
        assert_pending!(future.poll());
        tokio::time::advance(60 * MS).await;
        assert!(future.poll().is_ready());
        drop(future);
        assert_eq!(callee.calls(), 3, "{rule:?}");
        let is_charged = matches!(rule, Rule::Deposits { .. });
        assert_eq!(budget.available(), u64::from(!is_charged), "{rule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_a_layer_inside_refuses_is_not_charged() {
    for rule in [
        Rule::deposits(0.0, 1, Duration::from_secs(1)),
        Rule::concurrency(0.0, 1),
        Rule::quota(14, 14, 14),
    ] {
        let refusal = Problem::new(Code::BreakerOpen).into_response();
        let callee = Callee::new([answer(500), refusal]);
        let policy = builder().budget_rule(rule).build().unwrap();
        assert_eq!(call(&policy, &callee, get()).await, 503);
        assert_eq!(policy.budget().unwrap().available(), 1, "{rule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_listed() {
    let policy = RetryPolicy::builder("listed-retry").build().unwrap();
    let of_it = || {
        let mut listed = policies::snapshots().into_iter();
        listed.find(|seen| seen.kind() == Kind::Retry && seen.name() == "listed-retry")
    };
    assert_eq!(of_it().unwrap().figure("max_attempts"), Some(3.0));
    drop(policy);
    assert!(of_it().is_none());
}

#[tokio::test(start_paused = true)]
async fn everything_is_counted_once() {
    let metrics = Metrics::new();
    let policy = builder().metrics(&metrics).build().unwrap();
    call(&policy, &Callee::statuses([500, 429]), get()).await;
    call(&policy, &Callee::statuses([500, 500, 500]), get()).await;
    call(&policy, &Callee::statuses([200]), get()).await;
    call(&policy, &Callee::new([throttling(503, "60")]), get()).await;
    let _ = metrics.render();
    let text = metrics.render();
    for line in [
        r#"msf_retry_attempts_total{retry="callee"} 8"#,
        r#"msf_retry_retries_total{class="transient",retry="callee"} 3"#,
        r#"msf_retry_retries_total{class="throttled",retry="callee"} 1"#,
        r#"msf_retry_give_ups_total{reason="attempts",retry="callee"} 1"#,
        r#"msf_retry_give_ups_total{reason="retry_after",retry="callee"} 1"#,
        r#"msf_budget_withdrawals_total{budget="callee",outcome="granted"} 4"#,
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn new_numbers_hold_for_the_next_call() {
    let policy = builder().build().unwrap();
    policy.reconfigure(builder().max_attempts(1)).unwrap();
    let callee = Callee::statuses([500]);
    assert_eq!(call(&policy, &callee, get()).await, 500);
    let error = policy.reconfigure(builder().max_attempts(101)).unwrap_err();
    assert_eq!(error, InvalidRetryPolicy::MaxAttempts(101));
    let other = builder().budget_rule(Rule::concurrency(0.2, 3));
    assert!(policy.reconfigure(other).is_err());
    assert_eq!(policy.max_attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shared_budget_is_not_the_policys_to_change() {
    let rule = Rule::concurrency(0.2, 7);
    let budget = Budget::builder("callee").rule(rule).build().unwrap();
    let policy = builder().budget(&budget).build().unwrap();
    policy.reconfigure(builder().max_attempts(2)).unwrap();
    assert_eq!((policy.max_attempts(), budget.rule()), (2, rule));
}

/// Ready for so many calls, then broken for good.
#[derive(Clone)]
struct Wearing(Arc<Mutex<u32>>);

impl Service<u32> for Wearing {
    type Response = u32;
    type Error = io::Error;
    type Future = std::future::Ready<Result<u32, io::Error>>;

    fn poll_ready(&mut self, _cx: &mut std::task::Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match *self.0.lock().unwrap() {
            0 => Err(io::Error::other("worn out")),
            _ => Ok(()),
        })
    }

    fn call(&mut self, _request: u32) -> Self::Future {
        *self.0.lock().unwrap() -= 1;
        ready(Err(io::Error::other("failed")))
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_for_the_next_attempt_ends_the_call() {
    let budget = Budget::builder("b")
        .rule(Rule::concurrency(1.0, 1))
        .build()
        .unwrap();
    let policy = builder().budget(&budget).build().unwrap();
    let layer =
        RetryLayer::cloning(policy).classify(|_: Result<&u32, &io::Error>| Classification::FAILURE);
    let service = layer.layer(Wearing(Arc::new(Mutex::new(1))));
    let error = service.oneshot(7).await.unwrap_err();
    assert_eq!(error.to_string(), "worn out");
    assert_eq!(budget.available(), 1, "neither a call nor a retry is left");
}

#[test]
fn a_bad_knob_is_named() {
    let error = |builder: RetryPolicyBuilder| builder.build().unwrap_err();
    assert_eq!(error(RetryPolicy::builder("")), InvalidRetryPolicy::Name);
    assert_eq!(
        error(builder().max_attempts(0)),
        InvalidRetryPolicy::MaxAttempts(0)
    );
    let purge = Method::from_bytes(b"PURGE").unwrap();
    assert_eq!(
        error(builder().methods([Method::GET, purge])),
        InvalidRetryPolicy::Method("PURGE".into())
    );
    assert_eq!(
        error(builder().retry_after_max(Duration::MAX)),
        InvalidRetryPolicy::RetryAfterMax(Duration::MAX)
    );
    assert_eq!(
        error(builder().body_limit(usize::MAX)),
        InvalidRetryPolicy::BodyLimit(usize::MAX)
    );
    let config: Result<Config, _> = serde_json::from_str(r#"{"max_atempts": 3}"#);
    assert!(config.is_err());
    let config: Config =
        serde_json::from_str(r#"{"transient": {"base": "0s", "max": "1s"}}"#).unwrap();
    let error = RetryPolicy::from_config("x", &config).unwrap_err();
    assert!(error.to_string().starts_with("the transient backoff"));
}

#[test]
fn the_core_needs_no_tower() {
    let policy = builder().build().unwrap();
    let mut call = policy.begin();
    assert_eq!(call.after(&Classification::FAILURE, None), Ok(50 * MS));
    let throttled = Classification::IGNORE.throttled(true);
    assert_eq!(call.after(&throttled, None), Ok(1000 * MS));
    assert_eq!(call.after(&throttled, None), Err(GiveUp::Attempts));
    let refused = Classification::FAILURE.refused(true);
    assert_eq!(policy.begin().after(&refused, None), Err(GiveUp::Final));
}
