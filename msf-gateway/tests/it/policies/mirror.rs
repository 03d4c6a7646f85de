//! Copies of requests at a shadow, which nobody waits for.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use msf_auth::{InternalTokens, SigningKey, TokenIssuer, TrustedIssuer, Verifier, policy};
use msf_core::{body::Body, metrics::Metrics};
use msf_gateway::{Mirror, Route};
use tokio::{
    sync::{Semaphore, mpsc},
    time,
};

use super::{builder, errors, request};
use crate::common::{PATIENCE, System, mirror, seen, send, start};

/// What a shadow saw: method, target, body, and whether it is said to be a copy.
type Seen = Arc<Mutex<Vec<(Method, String, String, bool)>>>;

async fn shadow(system: System, gate: Arc<Semaphore>) -> (System, Seen) {
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    let answer = move |request: Request<Body>| {
        let (noted, gate) = (Arc::clone(&noted), Arc::clone(&gate));
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            let is_copy = parts.headers.get("x-msf-mirrored").is_some();
            let row = (parts.method, parts.uri.to_string(), body, is_copy);
            noted.lock().unwrap().push(row);
            gate.acquire().await.unwrap().forget();
            let mut response = Response::new(Body::from("of the shadow"));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    };
    (system.with("shadow", answer).await, seen)
}

async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let so = async {
        while !is_so() {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(time::timeout(PATIENCE, so).await.is_ok(), "never: {what}");
}

/// Over all routes.
fn count(metrics: &Metrics, outcome: &str) -> u64 {
    let text = metrics.render();
    let is_meant = |line: &&str| {
        line.starts_with("msf_gateway_mirrored_requests_total")
            && line.contains(&format!("\"{outcome}\""))
    };
    let lines = text.lines().filter(is_meant);
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

#[tokio::test]
async fn a_copy_goes_to_the_shadow_and_nobody_waits_for_it() {
    let gate = Arc::new(Semaphore::new(0));
    let (system, seen) = shadow(System::new().with("order", mirror).await, Arc::clone(&gate)).await;
    let metrics = Metrics::new();
    let route = Route::prefix("/orders").to("order").public().strip_prefix();
    let gateway = builder(&system)
        .metrics(&metrics)
        .route(route.mirror(Mirror::to("shadow")));
    let gateway = start(system.build(gateway).await);

    // The shadow answers nobody yet.
    let answer = send(gateway.addr(), request(Method::GET, "/orders/7?x", &[])).await;
    assert_eq!(answer.status(), 200);
    let posted = Request::post("/orders")
        .body(Body::from("in memory"))
        .unwrap();
    assert!(
        send(gateway.addr(), posted)
            .await
            .text()
            .contains("in memory")
    );
    let pieces = ["in ", "pieces"]
        .map(|it| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(it))));
    let body = Body::new(StreamBody::new(tokio_stream(pieces)));
    let streamed = Request::put("/orders").body(body).unwrap();
    assert!(
        send(gateway.addr(), streamed)
            .await
            .text()
            .contains("in pieces")
    );

    eventually("three copies", || seen.lock().unwrap().len() == 3).await;
    let mut rows = std::mem::take(&mut *seen.lock().unwrap());
    rows.sort_by_key(|(method, ..)| method.to_string());
    let row = |method, target: &str, body: &str| (method, target.to_owned(), body.to_owned(), true);
    assert_eq!(
        rows,
        [
            row(Method::GET, "/7?x", ""),
            row(Method::POST, "/", "in memory"),
            row(Method::PUT, "/", "in pieces"),
        ]
    );
    gate.add_permits(3);
    eventually("they were answered", || count(&metrics, "answered") == 3).await;
}

fn tokio_stream<T: Unpin, const N: usize>(items: [T; N]) -> impl futures_core::Stream<Item = T> {
    let mut items = items.into_iter();
    Iter(std::iter::from_fn(move || items.next()))
}

struct Iter<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<I::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

#[tokio::test]
async fn a_shadow_that_hangs_or_is_away_costs_nobody_anything() {
    let gate = Arc::new(Semaphore::new(0));
    let system = System::new().with("order", mirror).await;
    let system = system.with_addr("away", ([127, 0, 0, 1], 1).into()).await;
    let (system, seen) = shadow(system, gate).await;
    let metrics = Metrics::new();
    let to = |path: &str| Route::prefix(path).to("order").public();
    let gateway = builder(&system)
        .metrics(&metrics)
        .route(to("/hangs").mirror(Mirror::to("shadow").in_flight_max(2).body_max(4)))
        .route(to("/away").mirror(Mirror::to("away")));
    let gateway = start(system.build(gateway).await);
    for _ in 0..5 {
        let answer = send(gateway.addr(), request(Method::GET, "/hangs", &[])).await;
        assert_eq!(answer.status(), 200);
    }
    eventually("two copies", || seen.lock().unwrap().len() == 2).await;
    assert_eq!(count(&metrics, "too_many"), 3);
    let large = Request::post("/hangs").body(Body::from("12345")).unwrap();
    assert_eq!(send(gateway.addr(), large).await.status(), 200);
    assert_eq!(count(&metrics, "too_large"), 1);
    let answer = send(gateway.addr(), request(Method::GET, "/away", &[])).await;
    assert_eq!(answer.status(), 200);
    eventually("it failed", || count(&metrics, "failed") >= 1).await;
}

#[tokio::test]
async fn a_copy_has_a_token_for_its_own_service() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let shadow = move |request: Request<Body>| {
        let token = request.headers().get("authorization").cloned();
        tell.send(token).unwrap();
        async { Response::new(Body::empty()) }
    };
    let system = System::new().with("order", mirror).await;
    let system = system.with("shadow", shadow).await;
    let key = SigningKey::generate_ed25519().unwrap();
    let edge = TokenIssuer::new("https://gateway.shop", key);
    let route = Route::prefix("/orders").to("order").internal_identity();
    let gateway = builder(&system)
        .internal_tokens(InternalTokens::new(edge.clone()))
        .route(
            route
                .policy(policy::authenticated())
                .mirror(Mirror::to("shadow")),
        );
    let gateway = start(system.build(gateway).await);
    let own = format!("Bearer {}", system.token("7", &[]));
    let asked = request(Method::GET, "/orders", &[("authorization", &own)]);
    let answer = send(gateway.addr(), asked).await;
    let primary = seen(&answer, "authorization").remove(0);
    let copy = time::timeout(PATIENCE, told.recv()).await.unwrap().unwrap();
    let copy = copy.unwrap().to_str().unwrap().to_owned();

    let of = |service: &str| {
        let trusted = TrustedIssuer::internal("https://gateway.shop", edge.jwks());
        let trusted = trusted.audience(service.to_owned());
        Verifier::builder().issuer(trusted).build().unwrap()
    };
    let verify = async |service: &str, token: &str| {
        let token = token.trim_start_matches("Bearer ").to_owned();
        of(service).verify(&token).await.is_ok()
    };
    assert!(verify("order", &primary).await && !verify("shadow", &primary).await);
    assert!(verify("shadow", &copy).await && !verify("order", &copy).await);
}

#[tokio::test]
async fn a_refused_request_is_not_copied() {
    let gate = Arc::new(Semaphore::new(0));
    let (system, seen) = shadow(System::new().with("order", mirror).await, gate).await;
    let route = Route::prefix("/")
        .to("order")
        .policy(policy::authenticated());
    let gateway = system.serve([route.mirror(Mirror::to("shadow"))]).await;
    assert_eq!(
        send(gateway.addr(), request(Method::GET, "/", &[]))
            .await
            .status(),
        401
    );
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_mirror_out_of_range_is_an_error() {
    let system = System::new();
    let to = |path: &str| Route::prefix(path).to("order").public();
    let said = errors(
        builder(&system)
            .route(to("/a").mirror(Mirror::to("x").percent(0.0)))
            .route(to("/b").mirror(Mirror::to("x").percent(f64::NAN)))
            .route(to("/c").mirror(Mirror::to("x").body_max(2 << 20)))
            .route(to("/d").mirror(Mirror::to("x").in_flight_max(0)))
            .route(to("/e").mirror(Mirror::to("Not A Name"))),
    );
    assert_eq!(said.len(), 5, "{said:?}");
}
