//! Decisions that somebody else makes: what happens when they are late, fail, or are not wanted any more.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use msf_auth::{
    AuthLayer, InvalidAuthLayer, Policy, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
    audit::{Audit, Kind, MemorySink},
    policy::{self, Decide, Decider, Question, all, any, external, not, scope},
};
use msf_core::{BoxError, clock, metrics::Metrics};
use tokio_test::{assert_pending, task};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::ISSUER;

/// Does what the path says, and counts.
#[derive(Clone, Default)]
struct Scripted {
    asked: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Decide for Scripted {
    async fn decide(&self, question: &Question) -> Result<bool, BoxError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _guard = Guard(self.dropped.clone());
        match question.path() {
            "/yes" => Ok(question.caller().subject() == "7" && question.method() == "GET"),
            "/no" => Ok(false),
            "/error" => Err("the engine is away".into()),
            _ => std::future::pending().await,
        }
    }
}

struct World {
    issuer: TokenIssuer,
    decide: Scripted,
    decider: Decider,
    audit: MemorySink,
    metrics: Metrics,
}

impl World {
    fn new() -> Self {
        let decide = Scripted::default();
        Self {
            issuer: TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap()),
            decider: Decider::new(decide.clone()).in_flight_max(2),
            decide,
            audit: MemorySink::new(10),
            metrics: Metrics::new(),
        }
    }

    fn service(
        &self,
        policy: Policy,
    ) -> impl Service<
        Request<()>,
        Response = Response<Full<Bytes>>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + use<> {
        let trusted = TrustedIssuer::new(ISSUER, self.issuer.jwks()).audience("shop");
        let verifier = Verifier::builder().issuer(trusted).build().unwrap();
        AuthLayer::builder(verifier, policy)
            .decider("engine", self.decider.clone())
            .audit(Audit::new(self.audit.clone()))
            .metrics(&self.metrics)
            .build()
            .unwrap()
            .answering()
            .layer(service_fn(|_: Request<()>| async {
                Ok(Response::new(Full::<Bytes>::default()))
            }))
    }

    fn request(&self, path: &str) -> Request<()> {
        let token = self.issuer.token("7").audience("shop").scopes(["a"]).sign();
        let bearer = format!("Bearer {}", token.unwrap());
        let request = Request::get(path).header("authorization", bearer);
        request.body(()).unwrap()
    }

    async fn status(&self, policy: &Policy, path: &str) -> u16 {
        let service = self.service(policy.clone());
        let response = service.oneshot(self.request(path)).await.unwrap();
        response.status().as_u16()
    }

    fn asked(&self) -> usize {
        self.decide.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_yes_in_time_lets_the_caller_pass() {
    let world = World::new();
    let engine = external("engine");
    assert_eq!(world.status(&engine, "/yes").await, 200);
    assert_eq!(world.status(&engine, "/no").await, 403);
    assert_eq!(world.status(&engine, "/error").await, 503);
    let before = clock::now();
    assert_eq!(world.status(&engine, "/never").await, 503);
    assert_eq!(clock::now() - before, Duration::from_millis(500));
    // What was not decided does not become a yes.
    assert_eq!(world.status(&not(external("engine")), "/error").await, 503);
    assert_eq!(world.status(&not(external("engine")), "/no").await, 200);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_in_vain_or_twice() {
    let world = World::new();
    let engine = || external("engine");
    assert_eq!(
        world.status(&any([engine(), scope("a")]), "/never").await,
        200
    );
    assert_eq!(
        world.status(&all([engine(), scope("b")]), "/never").await,
        403
    );
    let stranger = world
        .service(engine())
        .oneshot(Request::new(()))
        .await
        .unwrap();
    assert_eq!(stranger.status(), 401);
    assert_eq!(world.asked(), 0);
    let twice = all([engine(), any([scope("b"), engine()])]);
    assert_eq!(world.status(&twice, "/yes").await, 200);
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn questions_are_bounded_and_given_up_with_their_request() {
    let world = World::new();
    let start = || {
        let service = world.service(external("engine"));
        task::spawn(service.oneshot(world.request("/never")))
    };
    let (mut first, mut second) = (start(), start());
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    assert_eq!(
        world.status(&external("engine"), "/yes").await,
        503,
        "no place"
    );
    assert_eq!(world.asked(), 2);
    drop(first);
    assert_eq!(world.decide.dropped.load(Ordering::SeqCst), 1);
    assert_eq!(world.status(&external("engine"), "/yes").await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_and_counted() {
    let world = World::new();
    world.status(&external("engine"), "/no").await;
    world.status(&external("engine"), "/error").await;
    world.status(&external("engine"), "/yes").await;
    let stranger = world.service(policy::user()).oneshot(Request::new(()));
    stranger.await.unwrap();
    let events = world.audit.events();
    assert_eq!(events.len(), 2, "strangers fill no audit log");
    assert_eq!(events[0].kind(), Kind::PolicyDenied);
    assert_eq!(events[0].field("subject"), Some("7"));
    assert_eq!(events[0].field("reason"), Some("needs external(engine)"));
    let text = world.metrics.render();
    for result in ["allowed", "forbidden", "undecided", "unauthenticated"] {
        let line = format!("msf_auth_decisions_total{{result=\"{result}\"}} 1");
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[test]
fn a_decider_that_is_not_there_is_an_error_when_it_is_built() {
    let world = World::new();
    let trusted = TrustedIssuer::new(ISSUER, world.issuer.jwks()).audience("shop");
    let verifier = Verifier::builder().issuer(trusted).build().unwrap();
    let layer = AuthLayer::builder(verifier, not(external("engin")))
        .decider("engine", world.decider)
        .build();
    let name = "engin".into();
    assert_eq!(layer.unwrap_err(), InvalidAuthLayer::NoDecider { name });
}
