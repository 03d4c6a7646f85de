//! The header fields and the problem.

use std::time::Duration;

use http::HeaderMap;
use msf_core::problem::{Code, Problem};
use tokio::time::advance;

use super::super::{QUOTA_EXCEEDED, Quota, RateLimiter, Refused};

fn limiter(quota: Quota) -> RateLimiter<()> {
    RateLimiter::builder(quota).name("api").build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_fields_count_down_and_retry_after_is_rounded_up() {
    let limiter = limiter(Quota::per_minute(40).burst(2));
    let mut headers = HeaderMap::new();
    limiter.check(&()).unwrap().write_to(&mut headers);
    assert_eq!(headers["ratelimit"], r#""api";r=1;t=2"#);
    assert_eq!(headers["ratelimit-policy"], r#""api";q=40;w=60"#);
    assert!(!headers.contains_key("retry-after"));

    limiter.check(&()).unwrap();
    advance(Duration::from_millis(400)).await;
    let limited = limiter.check(&()).unwrap_err();
    assert_eq!(limited.retry_after(), Duration::from_millis(1_100));
    let mut headers = HeaderMap::new();
    limited.write_to(&mut headers);
    // Both say when there is room again, not when everything is back.
    assert_eq!(headers["ratelimit"], r#""api";r=0;t=2"#);
    assert_eq!(headers["retry-after"], "2");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_never_zero() {
    let limiter = limiter(Quota::per_second(1_000).burst(1));
    limiter.check(&()).unwrap();
    let mut headers = HeaderMap::new();
    limiter.check(&()).unwrap_err().write_to(&mut headers);
    assert_eq!(headers["retry-after"], "1");
}

#[test]
fn the_policy_has_whole_seconds_and_room_for_the_burst() {
    let cases = [
        (Quota::per_second(100), r#""api";q=100;w=1"#),
        (Quota::per_second(100).burst(20), r#""api";q=100;w=1"#),
        (Quota::per_second(10).burst(25), r#""api";q=25;w=3"#),
        (
            Quota::per(5, Duration::from_millis(100)),
            r#""api";q=5;w=1"#,
        ),
        (Quota::per_hour(7), r#""api";q=7;w=3600"#),
    ];
    for (quota, expected) in cases {
        let mut headers = HeaderMap::new();
        limiter(quota).check(&()).unwrap().write_to(&mut headers);
        assert_eq!(headers["ratelimit-policy"], expected);
    }
}

#[tokio::test(start_paused = true)]
async fn every_limit_of_a_limiter_is_told_and_those_without_room_say_when_they_have_some() {
    let day = Duration::from_secs(86_400);
    let limiter = RateLimiter::builder(Quota::per_minute(2))
        .name("minute")
        .limit("day", Quota::per(3, day))
        .build()
        .unwrap();
    let mut headers = HeaderMap::new();
    limiter.check(&()).unwrap().write_to(&mut headers);
    let all = |headers: &HeaderMap, field| {
        let values = headers.get_all(field).iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        all(&headers, "ratelimit"),
        [r#""minute";r=1;t=30"#, r#""day";r=2;t=28800"#]
    );
    assert_eq!(
        all(&headers, "ratelimit-policy"),
        [r#""minute";q=2;w=60"#, r#""day";q=3;w=86400"#]
    );

    limiter.check(&()).unwrap();
    let limited = limiter.check(&()).unwrap_err();
    assert_eq!(
        (limited.name(), limited.retry_after()),
        ("minute", Duration::from_secs(30))
    );
    let mut headers = HeaderMap::new();
    limited.write_to(&mut headers);
    assert_eq!(
        all(&headers, "ratelimit"),
        [r#""minute";r=0;t=30"#, r#""day";r=1;t=57600"#]
    );
    assert_eq!(headers["retry-after"], "30");
    let violated: Vec<_> = limited.violated().map(|limit| limit.name()).collect();
    assert_eq!(violated, ["minute"]);
}

#[test]
fn the_partition_is_a_byte_sequence() {
    let limiter = limiter(Quota::per_minute(1));
    let mut headers = HeaderMap::new();
    limiter
        .check(&())
        .unwrap()
        .write_partition_to(b"k\"\xff", &mut headers);
    assert_eq!(headers["ratelimit"], r#""api";r=0;t=60;pk=:ayL/:"#);
    assert_eq!(headers["ratelimit-policy"], r#""api";q=1;w=60;pk=:ayL/:"#);
}

#[test]
fn what_can_never_succeed_names_no_time() {
    let limiter = limiter(Quota::per_minute(3));
    let Err(refused) = limiter.check_n(&(), 4) else {
        panic!()
    };
    let Refused::TooCostly(costly) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (costly.name(), costly.cost(), costly.burst()),
        ("api", 4, 3)
    );
    let problem = Problem::from(refused);
    assert_eq!(
        (problem.code(), problem.retry_after()),
        (Code::RateLimited, None)
    );
    assert_eq!(
        limiter.check(&()).unwrap().remaining(),
        2,
        "it cost nothing"
    );
}

#[test]
fn several_limits_stand_side_by_side() {
    let mut headers = HeaderMap::new();
    for quota in [Quota::per_second(9), Quota::per_hour(99)] {
        limiter(quota).check(&()).unwrap().write_to(&mut headers);
    }
    assert_eq!(headers.get_all("ratelimit").iter().count(), 2);
    assert_eq!(headers.get_all("ratelimit-policy").iter().count(), 2);
}

#[test]
fn the_longest_of_everything_fits_into_the_field() {
    let quota = Quota::per(u32::MAX / 300, Duration::from_secs(86_400)).burst(u32::MAX - 3);
    let name = "n".repeat(64);
    let limiter = RateLimiter::builder(quota)
        .name(name.clone())
        .build()
        .unwrap();
    let mut headers = HeaderMap::new();
    limiter.check(&()).unwrap().write_to(&mut headers);
    let expected = format!("\"{name}\";r={};t=1", u32::MAX - 4);
    assert_eq!(headers["ratelimit"], expected.as_str());
}

#[test]
fn a_refusal_becomes_a_problem() {
    let limiter = limiter(Quota::per_minute(1));
    limiter.check(&()).unwrap();
    let problem = Problem::from(limiter.check(&()).unwrap_err());
    assert_eq!(problem.code(), Code::RateLimited);
    assert!(problem.retry_after().unwrap() > Duration::from_secs(50));
    assert_eq!(problem.type_uri(), QUOTA_EXCEEDED);
    let response: http::Response<bytes::Bytes> = problem.into_response();
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(body["violated-policies"], serde_json::json!(["api"]));
}
