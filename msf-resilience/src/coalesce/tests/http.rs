//! Which answers are shared, and with whom.

use std::{
    cell::Cell,
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use msf_core::{body::Body, problem::Code};
use tokio::{join, time::sleep};
use tower::{Layer, ServiceExt, service_fn};

use crate::coalesce::{
    Coalesce, CoalesceLayer, HttpKey,
    body::{Gather, Gathered, Why},
};

const MS: Duration = Duration::from_millis(1);

/// How many calls two equal requests make, and what both read (`None` for a body that breaks).
async fn both(
    first: Request<Body>,
    second: Request<Body>,
    answer: impl Fn() -> Response<Body> + Clone,
) -> (u32, [Option<Bytes>; 2]) {
    let calls = Rc::new(Cell::new(0));
    let inner = service_fn(|_: Request<Body>| {
        calls.set(calls.get() + 1);
        let answer = answer.clone();
        async move {
            sleep(5 * MS).await;
            Ok::<_, Infallible>(answer())
        }
    });
    let coalesce = Coalesce::builder("x").max_body(10).build().unwrap();
    let layer = CoalesceLayer::answering(coalesce.clone(), HttpKey::of::<Body>);
    let service = layer.layer(inner);
    let call = |request| {
        let service = service.clone();
        async move {
            let response = service.oneshot(request).await.unwrap();
            response
                .into_body()
                .collect()
                .await
                .ok()
                .map(|body| body.to_bytes())
        }
    };
    let (a, b) = join!(call(first), call(second));
    assert_eq!(coalesce.in_flight(), 0);
    (calls.get(), [a, b])
}

fn get() -> Request<Body> {
    Request::new(Body::empty())
}

fn with(name: &'static str, value: &'static str) -> Request<Body> {
    Request::get("/")
        .header(name, value)
        .body(Body::empty())
        .unwrap()
}

fn plain() -> Response<Body> {
    Response::new(Body::from("hello"))
}

fn says(name: &'static str, value: &'static str) -> impl Fn() -> Response<Body> + Clone {
    move || {
        Response::builder()
            .header(name, value)
            .body(Body::from("hello"))
            .unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn equal_gets_share_one_answer() {
    let (calls, bodies) = both(get(), get(), plain).await;
    assert_eq!(calls, 1);
    assert_eq!(bodies, [Some("hello".into()), Some("hello".into())]);
    // What differs from call to call and says nothing of the caller is no difference.
    let traced = |id| with("traceparent", id);
    assert_eq!(both(traced("a"), traced("b"), plain).await.0, 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_never_goes_to_another_principal() {
    for name in ["authorization", "cookie", "proxy-authorization"] {
        assert_eq!(
            both(with(name, "same"), with(name, "same"), plain).await.0,
            2,
            "{name}"
        );
    }
    // Baggage carries what applications say of their users.
    let user = |id| with("baggage", id);
    assert_eq!(both(user("user=a"), user("user=b"), plain).await.0, 2);
    // A header that nobody has heard of may be an identity.
    assert_eq!(
        both(with("x-api-key", "a"), with("x-api-key", "b"), plain)
            .await
            .0,
        2
    );
    assert_eq!(both(with("x-api-key", "a"), get(), plain).await.0, 2);
    assert_eq!(
        both(with("x-api-key", "a"), with("x-api-key", "a"), plain)
            .await
            .0,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn only_safe_methods_without_a_body_are_shared() {
    let post = || Request::post("/").body(Body::empty()).unwrap();
    assert_eq!(both(post(), post(), plain).await.0, 2);
    let body = || Request::get("/").body(Body::from("query")).unwrap();
    assert_eq!(both(body(), body(), plain).await.0, 2);
    let head = || Request::head("/").body(Body::empty()).unwrap();
    assert_eq!(both(head(), get(), plain).await.0, 2);
    assert_eq!(both(head(), head(), plain).await.0, 1);
    let upgrade = || with("upgrade", "websocket");
    assert_eq!(both(upgrade(), upgrade(), plain).await.0, 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_one_goes_to_one() {
    for (name, value) in [
        ("set-cookie", "session=1"),
        ("cache-control", "Private"),
        ("cache-control", "max-age=0, no-store"),
        ("cache-control", "private=\"x\""),
        ("vary", "*"),
        ("vary", "accept, User-Agent"),
    ] {
        let (calls, bodies) = both(get(), get(), says(name, value)).await;
        assert_eq!(calls, 2, "{name}: {value}");
        assert!(bodies.iter().all(Option::is_some));
    }
    for (name, value) in [("vary", "accept"), ("cache-control", "max-age=60")] {
        assert_eq!(
            both(get(), get(), says(name, value)).await.0,
            1,
            "{name}: {value}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_although_it_may_not_be_stored() {
    let failed = || {
        let problem = msf_core::problem::Problem::new(Code::BadGateway);
        let mut response: Response<Body> = problem.into_response();
        *response.body_mut() = Body::from("short");
        response
    };
    assert_eq!(both(get(), get(), failed).await.0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_ran_out_of_time_says_nothing_to_the_others() {
    let first = Cell::new(true);
    let first = Rc::new(first);
    let answer = move || {
        let mut response = plain();
        if first.take() {
            response.extensions_mut().insert(Code::DeadlineExceeded);
        }
        response
    };
    assert_eq!(both(get(), get(), answer).await.0, 2);
}

/// A body that gives frames and does not say how long it is.
struct Frames(Vec<Result<Frame<Bytes>, &'static str>>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready((!self.0.is_empty()).then(|| self.0.remove(0)))
    }
}

fn data(text: &'static str) -> Result<Frame<Bytes>, &'static str> {
    Ok(Frame::data(text.into()))
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_bound_reaches_everybody_whole_but_is_not_shared() {
    let long = || Response::new(Body::from("longer than ten bytes"));
    let (calls, bodies) = both(get(), get(), long).await;
    assert_eq!(calls, 2);
    assert_eq!(
        bodies,
        [(); 2].map(|()| Some("longer than ten bytes".into()))
    );

    let streamed = || {
        Response::new(Body::new(Frames(vec![
            data("longer "),
            data("than "),
            data("ten"),
        ])))
    };
    let (calls, bodies) = both(get(), get(), streamed).await;
    assert_eq!(calls, 2);
    assert_eq!(bodies, [(); 2].map(|()| Some("longer than ten".into())));
}

#[tokio::test(start_paused = true)]
async fn frames_and_trailers_are_shared() {
    let answer = || {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let trailers = Ok(Frame::trailers(trailers));
        Response::new(Body::new(Frames(vec![data("a"), data("b"), trailers])))
    };
    let (calls, bodies) = both(get(), get(), answer).await;
    assert_eq!(calls, 1);
    assert_eq!(bodies, [Some("ab".into()), Some("ab".into())]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_is_the_leaders_and_a_follower_calls_again() {
    let first = Rc::new(Cell::new(true));
    let answer = move || {
        let last = if first.take() {
            Err("broken")
        } else {
            data("b")
        };
        Response::new(Body::new(Frames(vec![data("a"), last])))
    };
    let (calls, bodies) = both(get(), get(), answer).await;
    assert_eq!(calls, 2);
    assert_eq!(bodies, [None, Some("ab".into())]);
}

#[test]
fn with_credentials_they_are_part_of_the_key() {
    let key = |value| HttpKey::with_credentials(&with("authorization", value));
    assert_eq!(key("a"), key("a"));
    assert_ne!(key("a"), key("b"));
    assert!(key("a").is_some());
    assert_eq!(HttpKey::of(&with("authorization", "a")), None);
    let delete = Request::delete("/").body(Body::empty()).unwrap();
    assert_eq!(delete.method(), Method::DELETE);
    assert_eq!(HttpKey::with_credentials(&delete), None);
    let _ = header::VARY;
}

/// A body that gives one frame and then nothing for ever.
struct Endless(Option<Bytes>);

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        match self.0.take() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => Poll::Pending,
        }
    }
}

/// How many calls two requests for an endless body make, and after how long both had its first frame.
async fn both_endless(content_type: &'static str) -> (u32, Duration) {
    let calls = Rc::new(Cell::new(0));
    let inner = service_fn(|_: Request<Body>| {
        calls.set(calls.get() + 1);
        async move {
            sleep(5 * MS).await;
            let body = Body::new(Endless(Some("tick".into())));
            let response = Response::builder().header("content-type", content_type);
            Ok::<_, Infallible>(response.body(body).unwrap())
        }
    });
    let coalesce = Coalesce::builder("x").patience(100 * MS).build().unwrap();
    let service = CoalesceLayer::answering(coalesce.clone(), HttpKey::of::<Body>).layer(inner);
    let start = tokio::time::Instant::now();
    let call = || async {
        let response = service.clone().oneshot(get()).await.unwrap();
        let frame = response.into_body().frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "tick");
    };
    let both = async { join!(call(), call()) };
    let both = tokio::time::timeout(Duration::from_secs(3600), both).await;
    assert!(
        both.is_ok(),
        "the head waits for the end of an endless body"
    );
    assert_eq!(coalesce.in_flight(), 0);
    (calls.get(), start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_streams_to_everybody_after_the_patience() {
    let (calls, took) = both_endless("text/plain").await;
    assert_eq!(calls, 2);
    assert!(took <= 120 * MS, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_is_never_held_back() {
    let (calls, took) = both_endless("Text/Event-Stream; charset=utf-8").await;
    assert_eq!((calls, took), (2, 10 * MS));
}

#[tokio::test(start_paused = true)]
async fn frames_without_data_take_no_room() {
    let frames = (0..500)
        .map(|_| data(""))
        .chain([data("longer than"), data("ten")]);
    let mut gather = Gather::new(Frames(frames.collect()), 10);
    let gathered = std::future::poll_fn(|cx| gather.poll(cx)).await;
    let Gathered::Part(mut body, Why::TooLong) = gathered else {
        panic!("it is above the bound");
    };
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "longer than");
    assert_eq!(body.collect().await.unwrap().to_bytes(), "ten");
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_the_leader_reached_says_nothing_of_the_others() {
    let first = Rc::new(Cell::new(true));
    let answer = move || {
        let mut response = plain();
        if first.take() {
            *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
            response.extensions_mut().insert(Code::RateLimited);
        }
        response
    };
    assert_eq!(both(get(), get(), answer).await.0, 2);
}
