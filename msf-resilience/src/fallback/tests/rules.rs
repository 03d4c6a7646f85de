//! Which answers are replaced, by what, and how that is marked and counted.

use std::{
    cell::Cell,
    convert::Infallible,
    future::{pending, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use msf_core::{
    metrics::Metrics,
    problem::{Code, Problem},
};
use tokio::time::timeout;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{
    fallback::{self, Cause, Fallback, FallbackLayer, FellBack, HEADER, InvalidFallback},
    policies::{self, Kind},
};

type Answer = Response<Bytes>;

fn answer(status: u16) -> Answer {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn named(name: &'static str) -> Fallback {
    Fallback::builder(name).build().unwrap()
}

fn other() -> Answer {
    Response::new(Bytes::from("other"))
}

/// The answer to a call whose own would be this.
async fn answered(own: Answer) -> Answer {
    let inner = service_fn(|(): ()| ready(Ok::<_, Infallible>(own.clone())));
    let other = fallback::with(|_: Result<Answer, Infallible>| Ok(other()));
    let layer = FallbackLayer::answering(named("x"), other).in_header();
    layer.layer(inner).oneshot(()).await.unwrap()
}

#[tokio::test]
async fn failures_and_refusals_get_another_answer_that_is_marked() {
    for (own, cause) in [
        (answer(500), Cause::Failure),
        (answer(503), Cause::Failure),
        (
            Problem::new(Code::BreakerOpen).into_response(),
            Cause::Refused,
        ),
        (
            Problem::new(Code::BulkheadFull).into_response(),
            Cause::Refused,
        ),
    ] {
        let seen = answered(own).await;
        assert_eq!(seen.body(), "other");
        assert_eq!(seen.headers()[HEADER], "x");
        let mark = seen.extensions().get::<FellBack>().unwrap();
        assert_eq!((mark.name(), mark.cause()), ("x", cause));
    }
}

#[tokio::test]
async fn the_callers_errors_and_what_the_callee_says_of_load_stay_as_they_are() {
    for status in [200, 304, 400, 401, 404, 409, 422, 429, 501] {
        let seen = answered(answer(status)).await;
        assert_eq!(seen.status(), status);
        assert!(seen.extensions().get::<FellBack>().is_none());
        assert!(!seen.headers().contains_key(HEADER));
    }
}

fn is_bad() -> impl Fn(Result<&u32, &&'static str>) -> bool + Clone {
    |outcome: Result<&u32, &&'static str>| outcome.is_err()
}

#[tokio::test]
async fn an_error_becomes_a_value_or_what_a_closure_makes_of_it() {
    let inner = service_fn(|n: u32| ready(if n < 10 { Ok(n) } else { Err("gone") }));
    let value = FallbackLayer::new(named("x"), fallback::value(0)).when(is_bad());
    assert_eq!(value.layer(inner).oneshot(3).await, Ok(3));
    assert_eq!(value.layer(inner).oneshot(30).await, Ok(0));

    let with = fallback::with(|outcome: Result<u32, &'static str>| match outcome {
        Err("gone") => Ok(1),
        other => other,
    });
    let with = FallbackLayer::new(named("x"), with).when(is_bad());
    assert_eq!(with.layer(inner).oneshot(30).await, Ok(1));
}

#[tokio::test]
async fn another_service_is_asked_with_the_request_and_only_when_needed() {
    let asked = Cell::new(0);
    let backup = service_fn(|n: u32| {
        asked.set(asked.get() + 1);
        ready(if n < 100 {
            Ok(n * 2)
        } else {
            Err("the backup, too")
        })
    });
    let inner = service_fn(|n: u32| ready(if n < 10 { Ok(n) } else { Err("gone") }));
    let backup = fallback::service(backup, |n: &u32| (*n != 50).then_some(*n));
    let metrics = Metrics::new();
    let both = Fallback::builder("both").metrics(&metrics).build().unwrap();
    let layer = FallbackLayer::new(both, backup).when(is_bad());
    let call = |n| layer.layer(inner).oneshot(n);
    assert_eq!(call(3).await, Ok(3));
    assert_eq!(asked.get(), 0);
    assert_eq!(call(30).await, Ok(60));
    assert_eq!(call(50).await, Err("gone"), "the copy said no");
    assert_eq!(asked.get(), 1);
    assert_eq!(
        call(300).await,
        Err("gone"),
        "the first outcome says what is wrong"
    );
    assert_eq!(asked.get(), 2);

    let text = metrics.render();
    for line in [
        r#"msf_fallback_answers_total{cause="chosen",fallback="both"} 2"#,
        r#"msf_fallback_failed_total{fallback="both"} 1"#,
    ] {
        assert!(text.lines().any(|seen| seen == line), "{line}\n{text}");
    }
    let snapshots = policies::snapshots();
    let seen = snapshots
        .iter()
        .find(|seen| seen.kind() == Kind::Fallback && seen.name() == "both");
    assert_eq!(seen.unwrap().figure("failed_total"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_drops_the_call_it_is_in() {
    let second = Duration::from_secs(1);
    let held = std::rc::Rc::new(());
    let hangs = |held: &std::rc::Rc<()>| {
        let held = held.clone();
        move |_: u32| {
            let held = held.clone();
            async move {
                let _held = held;
                pending::<Result<u32, &'static str>>().await
            }
        }
    };
    let fails = service_fn(|_: u32| ready(Err::<u32, _>("gone")));
    let backup = fallback::service(service_fn(hangs(&held)), |n: &u32| Some(*n));
    let layer = FallbackLayer::new(named("x"), backup).when(is_bad());
    let mut service = layer.layer(fails);
    let services = std::rc::Rc::strong_count(&held);
    assert!(
        timeout(second, service.ready().await.unwrap().call(1))
            .await
            .is_err()
    );
    assert_eq!(std::rc::Rc::strong_count(&held), services);
}

#[tokio::test]
async fn a_call_that_outlives_its_policy_still_gets_its_answer_and_its_mark() {
    let inner = service_fn(|(): ()| ready(Ok::<_, Infallible>(answer(500))));
    let with = fallback::with(|_: Result<Answer, Infallible>| Ok(other()));
    let mut service = FallbackLayer::answering(named("gone"), with).layer(inner);
    let call = service.ready().await.unwrap().call(());
    drop(service);
    let _successor = named("successor");
    let seen = call.await.unwrap();
    assert_eq!(seen.body(), "other");
    assert_eq!(seen.extensions().get::<FellBack>().unwrap().name(), "gone");
}

#[tokio::test]
async fn an_answer_is_marked_whatever_became_of_its_policy() {
    let inner = service_fn(|(): ()| ready(Ok::<_, Infallible>(answer(500))));
    let with = fallback::with(|_: Result<Answer, Infallible>| Ok(other()));
    let layer = FallbackLayer::answering(named("gone"), with).in_header();
    let mut service = layer.layer(inner);
    let call = service.ready().await.unwrap().call(());
    drop((layer, service));
    (0..1000).for_each(|_| drop(named("another")));
    let seen = call.await.unwrap();
    assert_eq!(seen.headers()["x-msf-fallback"], "unknown");
    assert!(seen.extensions().get::<FellBack>().is_some());
}

#[test]
fn a_fallback_is_listed_as_long_as_a_handle_lives() {
    let is_listed = || {
        let mut seen = policies::snapshots().into_iter();
        seen.any(|seen| seen.kind() == Kind::Fallback && seen.name() == "listed")
    };
    let fallback = named("listed");
    assert!(is_listed());
    drop(fallback);
    assert!(!is_listed());
}

#[tokio::test]
async fn a_name_that_no_header_holds_is_marked_in_the_extensions() {
    let inner = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(answer(500))));
    let with = fallback::with(|_: Result<Answer, Infallible>| Ok(other()));
    let layer = FallbackLayer::answering(named("Preise für alle"), with).in_header();
    let seen = layer.layer(inner).oneshot(Request::new(())).await.unwrap();
    assert_eq!(
        seen.extensions().get::<FellBack>().unwrap().name(),
        "Preise für alle"
    );
}

#[test]
fn a_bad_name_is_refused() {
    let long = "x".repeat(129);
    for name in ["", "a\nb", &long] {
        assert!(matches!(
            Fallback::builder(name).build(),
            Err(InvalidFallback::Name)
        ));
    }
}
