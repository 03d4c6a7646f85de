//! What calls through a pipeline owe to everybody: tower's contract, one count in the budget, few allocations, and nothing
//! kept of those that are dropped.

use std::{
    convert::Infallible,
    future::{Future, pending, poll_fn, ready},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use msf_core::testing::{NotReady, StatefulInner, advance, allocations};
use msf_resilience::{
    budget::{Budget, Rule},
    circuit_breaker::State,
    hedge::HedgePolicy,
    pipeline::{ClientConfig, Error, HttpClient, ServerConfig, http_client, http_server},
    replay::ReplayBody,
    retry::RetryPolicy,
};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};

type Sent = Request<ReplayBody<Empty<Bytes>>>;

const MS: Duration = Duration::from_millis(1);

fn client(json: Value) -> HttpClient {
    let config: ClientConfig = serde_json::from_value(json).unwrap();
    http_client("payments").config(&config).build().unwrap()
}

fn server_config(json: Value) -> ServerConfig {
    serde_json::from_value(json).unwrap()
}

fn all_of_a_client() -> Value {
    let waits = json!({"base": "1ms", "max": "1ms", "jitter": "none"});
    json!({
        "deadline": "10s",
        "retry": {"transient": waits, "throttled": waits},
        "hedge": {"after": "50ms"},
        "rate_limit": {"limits": [{"requests": 1000, "per": "1s"}]},
        "bulkhead": {"max_concurrent": 2, "max_wait": "1s"},
        "breaker": {"min_calls": 12},
        "attempt_timeout": "1s",
    })
}

fn all_of_a_server() -> Value {
    json!({
        "deadline": {"default": "10s"},
        "load_shed": {},
        "rate_limit": {"limits": [{"requests": 4, "per": "1h"}]},
        "bulkhead": {"max_concurrent": 2, "max_wait": "1s"},
    })
}

fn empty() -> Request<Empty<Bytes>> {
    Request::new(Empty::new())
}

#[tokio::test(start_paused = true)]
async fn a_clients_pipeline_never_calls_a_service_that_is_not_ready() {
    let probe = StatefulInner::new(|request: Sent| {
        let mut response = Response::new(());
        if request.headers().contains_key("broken") {
            *response.status_mut() = StatusCode::BAD_GATEWAY;
        }
        response
    });
    let client = client(all_of_a_client());
    let mut service = client.layer(probe.clone());
    let mut refused = 0;
    for call in 0..10 {
        let request = || {
            let mut request = empty();
            if call > 2 {
                request.headers_mut().insert("broken", "1".parse().unwrap());
            }
            request
        };
        let one = service.ready().await.unwrap().call(request()).await;
        let other = service.clone().oneshot(request()).await;
        for outcome in [one, other] {
            refused += u32::from(matches!(outcome, Err(Error::CircuitOpen(_))));
            assert!(!matches!(outcome, Err(Error::Inner(NotReady))));
        }
    }
    assert!(refused > 0, "the breaker had something to refuse");
    assert_eq!(probe.violations(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_servers_pipeline_never_calls_a_service_that_is_not_ready() {
    let probe = StatefulInner::new(|_: Request<Body>| Response::new(Body::empty()));
    let server = http_server("orders").config(&server_config(all_of_a_server()));
    let server = server.build().unwrap();
    let mut service = server.layer(probe.clone());
    let request = || Request::new(Body::empty());
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = service.ready().await.unwrap().call(request()).await;
        statuses.push(answer.unwrap().status().as_u16());
        let answer = service.clone().oneshot(request()).await;
        statuses.push(answer.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429]);
    assert_eq!((probe.calls(), probe.violations()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn readiness_takes_nothing_from_any_part() {
    let probe = StatefulInner::new(|_: Sent| Response::new(()));
    let client = client(json!({
        "rate_limit": {"limits": [{"requests": 1, "per": "1h"}]},
        "bulkhead": {"max_concurrent": 1},
        "breaker": {},
    }));
    for _ in 0..5 {
        client.layer(probe.clone()).ready().await.unwrap();
    }
    assert_eq!(client.rate_limit().unwrap().peek().remaining(), 1);
    assert_eq!(client.bulkhead().unwrap().snapshot().in_flight(), 0);
}

/// A callee that answers at once, and how often a budget of one retry per ten calls allows one after twenty of them.
async fn allowed_after_twenty_calls(client: HttpClient, budget: &Budget) -> u64 {
    let inner = service_fn(|_: Sent| ready(Ok::<_, Infallible>(Response::new(()))));
    let service = client.layer(inner);
    for _ in 0..20 {
        service.clone().oneshot(empty()).await.unwrap();
    }
    budget.available()
}

#[tokio::test(start_paused = true)]
async fn a_call_counts_once_in_a_budget_that_retry_and_hedge_share() {
    let rule = Rule::deposits(0.1, 0, Duration::from_secs(10));
    let budget = Budget::builder("payments").rule(rule).build().unwrap();
    let retry = RetryPolicy::builder("payments").budget(&budget);
    let hedge = HedgePolicy::builder("payments").after(50 * MS);
    let client = http_client("payments")
        .retry(retry.build().unwrap())
        .hedge(hedge.budget(budget.clone()).build().unwrap());
    let client = client.build().unwrap();
    assert_eq!(allowed_after_twenty_calls(client, &budget).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_alone_counts_its_calls() {
    let rule = Rule::deposits(0.1, 0, Duration::from_secs(10));
    let budget = Budget::builder("payments").rule(rule).build().unwrap();
    let hedge = HedgePolicy::builder("payments").after(50 * MS);
    let hedge = hedge.budget(budget.clone()).build().unwrap();
    // The retry has another budget.
    let retry = RetryPolicy::builder("payments").build().unwrap();
    let client = http_client("payments").hedge(hedge).retry(retry);
    let client = client.build().unwrap();
    assert_eq!(allowed_after_twenty_calls(client, &budget).await, 2);
}

#[tokio::test(start_paused = true)]
async fn from_a_configuration_retry_and_hedge_have_one_budget_of_any_kind() {
    for rule in [
        json!({"kind": "deposits", "ratio": 0.1, "min_per_second": 0}),
        json!({"kind": "concurrency", "ratio": 0.0, "min": 2}),
        json!({"kind": "quota", "capacity": 28}),
    ] {
        let client = client(json!({"retry": {"budget": rule}, "hedge": {"after": "50ms"}}));
        let budget = client.retry().unwrap().budget().unwrap().clone();
        let hedging = client.hedge().unwrap().budget().clone();
        assert_eq!(
            allowed_after_twenty_calls(client, &budget).await,
            2,
            "{rule}"
        );
        let _one = hedging.try_withdraw().unwrap();
        assert_eq!(budget.available(), 1, "{rule}");
    }
    let alone = client(json!({"hedge": {"after": "50ms"}}));
    assert_eq!(alone.hedge().unwrap().budget().name(), "payments");
}

/// How many allocations a call of a warm service makes.
fn cost<S: Service<Req>, Req>(mut service: S, request: impl Fn() -> Req) -> u64 {
    let mut context = Context::from_waker(Waker::noop());
    let mut call = || {
        assert!(matches!(
            service.poll_ready(&mut context),
            Poll::Ready(Ok(()))
        ));
        let future = pin!(service.call(request()));
        assert!(matches!(future.poll(&mut context), Poll::Ready(Ok(_))));
    };
    call();
    allocations(|| (0..10).for_each(|_| call())).count / 10
}

fn client_cost(json: Value) -> u64 {
    let inner = service_fn(|_: Sent| ready(Ok::<_, Infallible>(Response::new(()))));
    let service = client(json).layer(inner);
    let request = || Request::get("http://payments/").body(Empty::new()).unwrap();
    let bare = allocations(|| (0..10).for_each(|_| drop(request()))).count / 10;
    cost(service, request) - bare
}

#[test]
fn what_a_clients_pipeline_allocates_is_what_requests_are_made_of() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let limits = json!({"limits": [{"requests": 1_000_000, "per": "1s"}]});
    assert_eq!(client_cost(json!({})), 0);
    let none = json!({
        "rate_limit": limits, "bulkhead": {}, "breaker": {}, "attempt_timeout": "1s",
    });
    assert_eq!(client_cost(none), 0);
    // Copies of a request with neither extensions nor headers cost nothing.
    let hedge = json!({"after": "1s"});
    assert_eq!(client_cost(json!({"retry": {}, "hedge": hedge})), 0);
    // Extensions are a box, a table and a box for the deadline: 3. A header in an empty map is a table and a list: 2. The
    // text of the deadline is that of the call before, as long as it says the same.
    assert_eq!(client_cost(json!({"deadline": "10s"})), 5);
    // Then what is kept to make the call again has the extensions once more.
    let copied = json!({"deadline": "10s", "retry": {}});
    assert_eq!(client_cost(copied), 5 + 3);
    let twice = json!({"deadline": "10s", "retry": {}, "hedge": hedge});
    assert_eq!(client_cost(twice), 5 + 3 + 3);
}

#[test]
fn a_servers_pipeline_allocates_for_what_it_writes_only() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let server_cost = |json| {
        let inner =
            service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Bytes::new()))));
        let server = http_server("orders").config(&server_config(json));
        let service = server.build().unwrap().layer(inner);
        cost(service, || Request::new(()))
    };
    let limits = json!({"limits": [{"requests": 1_000_000, "per": "1s"}]});
    assert_eq!(server_cost(json!({})), 0);
    assert_eq!(server_cost(json!({"bulkhead": {}, "load_shed": {}})), 0);
    assert_eq!(server_cost(json!({"adaptive": {}, "load_shed": {}})), 0);
    assert_eq!(server_cost(json!({"deadline": {}})), 0);
    // The extensions, for the deadline.
    assert_eq!(server_cost(json!({"deadline": {"default": "1s"}})), 3);
    // Two fields in the answer: table, list, and the text of each.
    assert_eq!(server_cost(json!({"rate_limit": limits})), 4);
}

/// Polls a future so often, then drops it.
async fn poll_and_drop<F: Future>(future: F, polls: u32) {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        while left > 0 {
            left -= 1;
            assert!(future.as_mut().poll(cx).is_pending());
        }
        Poll::Ready(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_of_either_pipeline_that_is_dropped_gives_its_place_back_polled_or_not() {
    let client = client(all_of_a_client());
    let inner = service_fn(|_: Sent| pending::<Result<Response<()>, Infallible>>());
    let mut calls = client.layer(inner);
    let server = http_server("orders").config(&server_config(all_of_a_server()));
    let server = server.build().unwrap();
    let inner = service_fn(|_: Request<()>| pending::<Result<Response<Bytes>, Infallible>>());
    let mut requests = server.layer(inner);
    for polls in [0, 1, 3] {
        let future = calls.ready().await.unwrap().call(empty());
        poll_and_drop(future, polls).await;
        let future = requests.ready().await.unwrap().call(Request::new(()));
        poll_and_drop(future, polls).await;
        assert_eq!(client.bulkhead().unwrap().snapshot().in_flight(), 0);
        assert_eq!(server.bulkhead().unwrap().snapshot().in_flight(), 0);
    }
    assert_eq!(client.circuit_breaker().unwrap().state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_server_may_hold_its_permits_until_the_end_of_the_body() {
    for one_at_a_time in [
        json!({"bulkhead": {"max_concurrent": 1}}),
        json!({"adaptive": {"algorithm": "fixed", "initial": 1}}),
    ] {
        let server = http_server("exports").config(&server_config(one_at_a_time));
        let server = server.until_body_end().build().unwrap();
        let inner = service_fn(|_: Request<()>| {
            ready(Ok::<_, Infallible>(Response::new(Body::from("line"))))
        });
        let service = server.layer(inner);
        let first = service.clone().oneshot(Request::new(())).await.unwrap();
        let second = service.clone().oneshot(Request::new(())).await.unwrap();
        assert_eq!(second.status(), 503);
        let line = axum::body::to_bytes(Body::new(first.into_body()), 10).await;
        assert_eq!(line.unwrap(), "line");
        let third = service.oneshot(Request::new(())).await.unwrap();
        assert_eq!(third.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_survive_any_reload() {
    let client = client(json!({
        "deadline": "10s",
        "retry": {},
        "hedge": {"after": "1s"},
        "bulkhead": {"max_concurrent": 1, "max_wait": "5s", "max_queue": 8},
        "breaker": {},
        "attempt_timeout": "5s",
    }));
    let inner = service_fn(|_: Sent| async {
        tokio::time::sleep(100 * MS).await;
        Ok::<_, Infallible>(Response::new(()))
    });
    let service = client.layer(inner);
    let reloads = async {
        for turn in 1..=40 {
            advance(5 * MS).await;
            let breaker = (turn % 3 != 0).then(|| json!({"min_calls": turn + 1}));
            let config = json!({
                "deadline": format!("{}ms", 4000 + turn),
                "retry": {"max_attempts": 1 + turn % 3},
                "hedge": {"after": format!("{}ms", 300 + turn)},
                "bulkhead": {"max_concurrent": 1 + turn % 2, "max_wait": "5s", "max_queue": 8},
                "breaker": breaker,
                "attempt_timeout": format!("{}ms", 200 + turn),
            });
            client
                .reload(&serde_json::from_value(config).unwrap())
                .unwrap();
        }
    };
    let calls = async {
        let calls: [_; 4] = std::array::from_fn(|_| service.clone().oneshot(empty()));
        let [a, b, c, d] = calls;
        let (a, b, c, d) = tokio::join!(a, b, c, d);
        for outcome in [a, b, c, d] {
            assert_eq!(outcome.unwrap().status(), 200);
        }
    };
    tokio::join!(calls, reloads);
    let now = client.bulkhead().unwrap().snapshot();
    assert_eq!((now.in_flight(), now.queued()), (0, 0));
}
