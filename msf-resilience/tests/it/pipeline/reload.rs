//! Another configuration while the pipeline runs.

use std::time::Duration;

use msf_core::{classify::Classification, testing::advance};
use msf_resilience::{
    circuit_breaker::State,
    pipeline::{ClientConfig, HttpClient, http_client},
};
use serde_json::{Value, json};

fn config(json: Value) -> ClientConfig {
    serde_json::from_value(json).unwrap()
}

fn client(json: Value) -> HttpClient {
    http_client("payments")
        .config(&config(json))
        .build()
        .unwrap()
}

fn fail(client: &HttpClient, times: usize) {
    for _ in 0..times {
        let permit = client.circuit_breaker().unwrap().try_acquire().unwrap();
        permit.complete(&Classification::FAILURE);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_window_has_counted_counts_under_the_new_numbers() {
    let client = client(json!({"breaker": {"min_calls": 100}}));
    fail(&client, 9);
    client
        .reload(&config(json!({"breaker": {"min_calls": 10}})))
        .unwrap();
    let breaker = client.circuit_breaker().unwrap();
    assert_eq!(breaker.state(), State::Closed);
    fail(&client, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_stays_open() {
    let client = client(json!({"breaker": {"min_calls": 1, "jitter": 0.0}}));
    fail(&client, 1);
    client
        .reload(&config(json!({"breaker": {"open_for": "1s"}})))
        .unwrap();
    let breaker = client.circuit_breaker().unwrap();
    advance(Duration::from_secs(4)).await;
    assert!(
        breaker.try_acquire().is_err(),
        "the wait that has begun keeps its end"
    );
    advance(Duration::from_secs(1)).await;
    assert!(breaker.try_acquire().is_ok());
}

#[tokio::test(start_paused = true)]
async fn permits_that_are_out_stay_out() {
    let client = client(json!({"bulkhead": {"max_concurrent": 1}}));
    let bulkhead = client.bulkhead().unwrap();
    let first = bulkhead.try_acquire().unwrap();
    client
        .reload(&config(json!({"bulkhead": {"max_concurrent": 2}})))
        .unwrap();
    let second = bulkhead.try_acquire().unwrap();
    assert!(bulkhead.try_acquire().is_err());
    drop((first, second));
}

#[tokio::test(start_paused = true)]
async fn what_was_used_of_a_limit_is_used() {
    let quota =
        |requests: u32| json!({"rate_limit": {"limits": [{"requests": requests, "per": "1m"}]}});
    let client = client(quota(2));
    let limiter = client.rate_limit().unwrap();
    assert!(limiter.check().is_ok());
    assert!(limiter.check().is_ok());
    client.reload(&config(quota(4))).unwrap();
    assert_eq!(limiter.limits().quotas()[0].requests(), 4);
    assert!(limiter.check().is_err() || limiter.peek().remaining() < 4);
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_whole_or_does_not_happen() {
    let client = client(json!({"breaker": {}, "bulkhead": {"max_concurrent": 3}}));
    let error = client
        .reload(&config(
            json!({"breaker": {"window": "1h"}, "bulkhead": {"max_concurrent": 9}}),
        ))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "payments.breaker.window: the window must be from 100 ms to 10 min, not 3600s"
    );
    assert_eq!(client.bulkhead().unwrap().snapshot().limit(), 3);
}

#[tokio::test(start_paused = true)]
async fn parts_do_not_come_and_all_but_the_breaker_do_not_go() {
    let client =
        client(json!({"bulkhead": {}, "rate_limit": {"limits": [{"requests": 1, "per": "1s"}]}}));
    let error = client.reload(&config(json!({"breaker": {}}))).unwrap_err();
    let paths: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.path())
        .collect();
    assert_eq!(paths, ["rate_limit", "bulkhead", "breaker"]);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_without_its_section_is_disabled_until_it_is_back() {
    let client = client(json!({"breaker": {"min_calls": 1}}));
    let breaker = client.circuit_breaker().unwrap();
    client.reload(&config(json!({}))).unwrap();
    assert_eq!(breaker.state(), State::Disabled);
    fail(&client, 5);
    assert_eq!(breaker.state(), State::Disabled);

    client
        .reload(&config(json!({"breaker": {"min_calls": 2}})))
        .unwrap();
    assert_eq!(breaker.state(), State::Closed);
    fail(&client, 2);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_has_ordered_outlives_a_reload() {
    let client = client(json!({"breaker": {}}));
    let breaker = client.circuit_breaker().unwrap();
    breaker.force_open();
    client
        .reload(&config(json!({"breaker": {"min_calls": 2}})))
        .unwrap();
    assert_eq!(breaker.state(), State::ForcedOpen);
    breaker.disable();
    client
        .reload(&config(json!({"breaker": {"min_calls": 3}})))
        .unwrap();
    assert_eq!(breaker.state(), State::Disabled);
}
