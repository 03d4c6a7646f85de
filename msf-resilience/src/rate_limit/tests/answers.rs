//! The header fields and the problem.

use std::time::Duration;

use http::HeaderMap;
use msf_core::problem::{Code, Problem};
use tokio::time::advance;

use super::super::{Quota, RateLimiter};

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
    assert_eq!(headers["ratelimit"], r#""api";r=0;t=3"#);
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
    let quota = Quota::per(1, Duration::from_secs(86_400)).burst(u32::MAX);
    let name = "n".repeat(64);
    let limiter = RateLimiter::builder(quota)
        .name(name.clone())
        .build()
        .unwrap();
    let mut headers = HeaderMap::new();
    limiter.check(&()).unwrap().write_to(&mut headers);
    let expected = format!("\"{name}\";r={};t=86400", u32::MAX - 1);
    assert_eq!(headers["ratelimit"], expected.as_str());
}

#[test]
fn a_refusal_becomes_a_problem() {
    let limiter = limiter(Quota::per_minute(1));
    limiter.check(&()).unwrap();
    let problem = Problem::from(limiter.check(&()).unwrap_err());
    assert_eq!(problem.code(), Code::RateLimited);
    assert!(problem.retry_after().unwrap() > Duration::from_secs(50));
}
