//! The order of a client's parts, seen in what they do to each other.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use msf_core::{deadline::TIMEOUT_MS, testing::advance};
use msf_resilience::{
    circuit_breaker::State,
    pipeline::{ClientConfig, Error, HttpClient, http_client},
    replay::ReplayBody,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};

type Sent = Request<ReplayBody<Empty<Bytes>>>;
type Outcome = Result<Response<()>, Error<Infallible>>;

/// What the callee does with each request.
#[derive(Clone, Copy)]
enum Does {
    Answer(u16),
    Hang,
    /// Answers 200 after some milliseconds.
    Work(u64),
}

/// A callee that does one thing after the other, the last of them for ever.
#[derive(Clone)]
struct Callee {
    script: Arc<[Does]>,
    /// What each request said of the time that was left.
    seen: Arc<Mutex<Vec<Option<u64>>>>,
}

impl Callee {
    fn new(script: impl Into<Arc<[Does]>>) -> Self {
        Self {
            script: script.into(),
            seen: Arc::default(),
        }
    }

    fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn behind(
        &self,
        client: &HttpClient,
    ) -> impl Service<
        Request<Empty<Bytes>>,
        Response = Response<()>,
        Error = Error<Infallible>,
        Future: Send,
    > + Clone
    + Send
    + 'static {
        let callee = self.clone();
        client.layer(service_fn(move |request: Sent| {
            callee.clone().answer(request)
        }))
    }

    async fn answer(self, request: Sent) -> Result<Response<()>, Infallible> {
        let left = request.headers().get(TIMEOUT_MS);
        let left = left.map(|left| left.to_str().unwrap().parse().unwrap());
        let does = {
            let mut seen = self.seen.lock().unwrap();
            let last = self.script.len() - 1;
            let does = self.script[seen.len().min(last)];
            seen.push(left);
            does
        };
        let mut response = Response::new(());
        match does {
            Does::Answer(status) => *response.status_mut() = StatusCode::from_u16(status).unwrap(),
            Does::Hang => pending().await,
            Does::Work(ms) => sleep(Duration::from_millis(ms)).await,
        }
        Ok(response)
    }
}

fn client(json: Value) -> HttpClient {
    let config: ClientConfig = serde_json::from_value(json).unwrap();
    http_client("payments").config(&config).build().unwrap()
}

async fn call(
    service: &(
         impl Service<Request<Empty<Bytes>>, Response = Response<()>, Error = Error<Infallible>> + Clone
     ),
) -> Outcome {
    service.clone().oneshot(Request::new(Empty::new())).await
}

/// Waits that do not matter to a test are short.
fn quick_retry(attempts: u32) -> Value {
    let waits = json!({"base": "1ms", "max": "1ms", "jitter": "none"});
    json!({"max_attempts": attempts, "transient": waits, "throttled": waits})
}

#[tokio::test(start_paused = true)]
async fn the_breaker_sees_each_attempt() {
    let client = client(json!({"retry": quick_retry(3), "breaker": {"min_calls": 3}}));
    let callee = Callee::new([Does::Answer(500)]);
    let response = call(&callee.behind(&client)).await.unwrap();
    assert_eq!((response.status().as_u16(), callee.calls()), (500, 3));
    assert_eq!(client.circuit_breaker().unwrap().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_is_neither_asked_again_nor_charged() {
    let client = client(json!({"retry": quick_retry(3), "breaker": {}}));
    let callee = Callee::new([Does::Answer(200)]);
    client.circuit_breaker().unwrap().force_open();
    let budget = client.retry().unwrap().budget().unwrap();
    let (available, start) = (budget.available(), Instant::now());
    assert!(matches!(
        call(&callee.behind(&client)).await,
        Err(Error::CircuitOpen(_))
    ));
    assert_eq!((callee.calls(), start.elapsed()), (0, Duration::ZERO));
    assert!(budget.available() >= available);
}

#[tokio::test(start_paused = true)]
async fn a_full_bulkhead_is_neither_asked_again_nor_charged_nor_counted_by_the_breaker() {
    let client = client(json!({
        "retry": quick_retry(3),
        "bulkhead": {"max_concurrent": 1},
        "breaker": {"min_calls": 1},
    }));
    let callee = Callee::new([Does::Answer(200)]);
    let budget = client.retry().unwrap().budget().unwrap();
    let (available, start) = (budget.available(), Instant::now());
    let taken = client.bulkhead().unwrap().try_acquire().unwrap();
    assert!(matches!(
        call(&callee.behind(&client)).await,
        Err(Error::BulkheadFull(_))
    ));
    assert_eq!((callee.calls(), start.elapsed()), (0, Duration::ZERO));
    assert!(budget.available() >= available);
    assert_eq!(client.circuit_breaker().unwrap().state(), State::Closed);
    drop(taken);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ran_out_of_time_is_a_failure_of_the_callee_and_is_made_again() {
    let client = client(json!({
        "retry": quick_retry(2),
        "breaker": {"min_calls": 2},
        "attempt_timeout": "100ms",
    }));
    let callee = Callee::new([Does::Hang]);
    let start = Instant::now();
    let outcome = call(&callee.behind(&client)).await;
    assert!(matches!(outcome, Err(Error::TimedOut(_))), "{outcome:?}");
    assert_eq!(
        (callee.calls(), start.elapsed()),
        (2, Duration::from_millis(201))
    );
    assert_eq!(client.circuit_breaker().unwrap().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_all_attempts_together() {
    let client = client(json!({
        "deadline": "1s",
        "retry": quick_retry(100),
        "attempt_timeout": "300ms",
        "breaker": {"min_calls": 1000},
    }));
    let callee = Callee::new([Does::Hang]);
    let start = Instant::now();
    let outcome = call(&callee.behind(&client)).await;
    assert!(
        matches!(outcome, Err(Error::DeadlineExceeded(_))),
        "{outcome:?}"
    );
    assert_eq!(
        (callee.calls(), start.elapsed()),
        (4, Duration::from_secs(1))
    );
}

#[tokio::test(start_paused = true)]
async fn each_attempt_tells_the_callee_the_time_that_is_left_then() {
    let client = client(json!({
        "deadline": "1s",
        "deadline_margin": "20ms",
        "retry": {"transient": {"base": "300ms", "max": "300ms", "jitter": "none"}},
    }));
    let callee = Callee::new([Does::Answer(503), Does::Answer(200)]);
    assert!(call(&callee.behind(&client)).await.is_ok());
    assert_eq!(*callee.seen.lock().unwrap(), [Some(980), Some(680)]);
}

#[tokio::test(start_paused = true)]
async fn the_limit_counts_attempts_and_its_refusal_ends_them() {
    let client = client(json!({
        "retry": quick_retry(3),
        "rate_limit": {"limits": [{"requests": 2, "per": "1m"}]},
    }));
    let callee = Callee::new([Does::Answer(500)]);
    let outcome = call(&callee.behind(&client)).await;
    assert!(matches!(outcome, Err(Error::RateLimited(_))), "{outcome:?}");
    assert_eq!(callee.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_place_is_held_while_a_retry_waits() {
    let client = client(json!({
        "retry": {"transient": {"base": "1s", "max": "1s", "jitter": "none"}},
        "bulkhead": {"max_concurrent": 1},
    }));
    let callee = Callee::new([Does::Answer(500), Does::Answer(200)]);
    let service = callee.behind(&client);
    let other = async {
        advance(Duration::from_millis(10)).await;
        assert_eq!(callee.calls(), 1);
        call(&service).await
    };
    let (retried, other) = tokio::join!(call(&service), other);
    assert_eq!(retried.unwrap().status(), 200);
    assert_eq!(other.unwrap().status(), 200);
    assert_eq!(callee.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_takes_a_place_of_its_own_and_one_that_is_refused_leaves_the_first_alone() {
    let client = client(json!({
        "hedge": {"after": "50ms"},
        "bulkhead": {"max_concurrent": 1},
    }));
    let callee = Callee::new([Does::Work(200)]);
    let start = Instant::now();
    assert_eq!(call(&callee.behind(&client)).await.unwrap().status(), 200);
    assert_eq!(
        (callee.calls(), start.elapsed()),
        (1, Duration::from_millis(200))
    );

    let room: ClientConfig =
        serde_json::from_value(json!({"hedge": {"after": "50ms"}, "bulkhead": {}})).unwrap();
    client.reload(&room).unwrap();
    let callee = Callee::new([Does::Work(200), Does::Work(10)]);
    let start = Instant::now();
    assert_eq!(call(&callee.behind(&client)).await.unwrap().status(), 200);
    assert_eq!(
        (callee.calls(), start.elapsed()),
        (2, Duration::from_millis(60))
    );
    assert_eq!(client.bulkhead().unwrap().snapshot().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_anywhere_gives_everything_back() {
    let client = client(json!({
        "deadline": "10s",
        "retry": {"transient": {"base": "1s", "max": "1s", "jitter": "none"}},
        "hedge": {"after": "100ms"},
        "bulkhead": {"max_concurrent": 2, "max_wait": "1s"},
        "breaker": {},
        "attempt_timeout": "500ms",
    }));
    // In the first attempt, in the hedge, in the wait, in the second attempt.
    for after in [0, 50, 150, 700, 1600] {
        let callee = Callee::new([Does::Hang]);
        let service = callee.behind(&client);
        let in_time = tokio::time::timeout(Duration::from_millis(after), call(&service)).await;
        assert!(in_time.is_err(), "{after}");
        let now = client.bulkhead().unwrap().snapshot();
        assert_eq!((now.in_flight(), now.queued()), (0, 0), "{after}");
    }
    // In the line.
    let bulkhead = client.bulkhead().unwrap();
    let taken = [(); 2].map(|()| bulkhead.try_acquire().unwrap());
    let service = Callee::new([Does::Hang]).behind(&client);
    let waited = tokio::time::timeout(Duration::from_millis(1), call(&service)).await;
    assert!(waited.is_err());
    assert_eq!(bulkhead.snapshot().queued(), 0);
    drop(taken);
    assert_eq!(bulkhead.snapshot().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_parts_it_is_the_service() {
    let callee = Callee::new([Does::Answer(500)]);
    let response = call(&callee.behind(&client(json!({})))).await.unwrap();
    assert_eq!((response.status().as_u16(), callee.calls()), (500, 1));
    assert_eq!(*callee.seen.lock().unwrap(), [None]);
}

#[tokio::test(start_paused = true)]
async fn all_its_services_share_its_parts() {
    let client = client(json!({"breaker": {"min_calls": 1}}));
    let callee = Callee::new([Does::Answer(500)]);
    call(&callee.behind(&client)).await.unwrap();
    let other = Callee::new([Does::Answer(200)]);
    assert!(call(&other.behind(&client.clone())).await.is_err());
    assert_eq!(other.calls(), 0);
}
