//! Gateways of files and of code, with scripts instead of services.

use std::time::Duration;

use http::Method;
use msf_client::Client;
use msf_core::{assert_problem, clock, problem::Code};
use msf_registry::{Registry, backend::memory::MemoryRegistry};

use super::*;
use crate::{Gateway, Mirror, Probe, Route, route::Answer};

fn toml(rest: &str) -> TestGateway {
    let text = format!(
        r#"
        [clusters.users]
        endpoints = ["http://10.0.0.1:9001", "http://10.0.0.2:9001"]
        [[routes]]
        id = "users"
        match = {{ path = "/users/**" }}
        to = "users"
        {rest}
        "#
    );
    TestGateway::from_toml(&text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn code() -> TestGateway {
    let client = Client::builder(Registry::new(MemoryRegistry::new()));
    let route = |path: &str| Route::prefix(path).public();
    let builder = Gateway::builder(client.build().unwrap())
        .route(route("/orders").to("orders").mirror(Mirror::to("shadow")))
        .route(route("/split").split([("one", 1), ("two", 0)]));
    TestGateway::new(builder).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_service_that_hangs_is_given_up_at_the_timeout_to_the_millisecond() {
    let gateway = toml("timeout = \"3s\"").upstream("users", Script::hang());
    let began = clock::now();
    assert_problem!(gateway.get("/users").send().await, Code::Timeout);
    assert_eq!(clock::now() - began, Duration::from_secs(3));
    assert_eq!(gateway.received("users").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_comes_when_it_was_scripted() {
    let slow = Script::text(200, "late").after(Duration::from_millis(700));
    let gateway = toml("").upstream("users", slow);
    let began = clock::now();
    assert_eq!(gateway.get("/users").send().await.text(), "late");
    assert_eq!(clock::now() - began, Duration::from_millis(700));
}

#[tokio::test(start_paused = true)]
async fn steps_come_one_after_the_other_and_every_attempt_is_seen() {
    let flaky = Script::status(503).times(2).then(Script::text(200, "done"));
    let gateway = toml("retry = { attempts = 3 }").upstream("users", flaky);
    assert_eq!(gateway.get("/users/7").send().await.text(), "done");
    let received = gateway.received("users");
    assert_eq!(received.len(), 3);
    assert!(received.iter().any(|it| it.endpoint() == 1));
    assert_eq!(gateway.get("/users/8").send().await.text(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_answered_by_the_other_endpoint() {
    let gateway = toml("hedge = { after = \"50ms\" }")
        .upstream("users", Script::hang().then(Script::text(200, "quick")));
    let began = clock::now();
    assert_eq!(gateway.get("/users").send().await.text(), "quick");
    assert_eq!(clock::now() - began, Duration::from_millis(50));
    let received = gateway.received("users");
    assert_ne!(received[0].endpoint(), received[1].endpoint());
}

#[tokio::test]
async fn a_reset_and_a_service_that_is_not_there_are_failures() {
    let gateway = toml("");
    let nobody = gateway.get("/users").send().await;
    assert_problem!(nobody, Code::ConnectRefused);
    assert!(gateway.received("users").is_empty());
    let gateway = gateway.upstream("users", Script::reset());
    let answer = gateway.post("/users").body("x").send().await;
    assert_problem!(answer, Code::UpstreamReset);
    assert_eq!(gateway.received("users")[0].text(), "x");
}

#[tokio::test]
async fn services_of_code_are_scripts_too_and_mirrors_are_seen() {
    let gateway = code()
        .upstream(
            "orders",
            Script::from_fn(|it| http::Response::new(it.bytes().clone())),
        )
        .upstream("shadow", Script::status(500))
        .upstream("one", Script::json(201, [1]));
    let sent = gateway.post("/orders?x=1").json([7]).send().await;
    assert_eq!(sent.json::<[u8; 1]>(), [7]);
    let [received] = &gateway.received("orders")[..] else {
        panic!()
    };
    assert_eq!(received.method(), Method::POST);
    assert_eq!(
        (received.query(), received.json::<[u8; 1]>()),
        (Some("x=1"), [7])
    );
    assert_eq!(gateway.get("/split").send().await.status(), 201);
    // The copy is sent by a task of its own, and through a pipe that never waits for long.
    while gateway.received("shadow").is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(gateway.received("shadow")[0].text(), "[7]");
}

#[tokio::test]
async fn callers_have_tokens_of_the_issuers_of_the_file() {
    let gateway = toml(
        r#"
        policy = "scope(users:read)"
        ip = { deny = "198.51.100.0/24" }
        [auth]
        [[auth.issuers]]
        issuer = "https://id.example"
        audience = "shop"
        jwks_url = "https://id.example/keys"
        "#,
    )
    .upstream("users", Script::status(204));
    assert_eq!(gateway.get("/users").send().await.status(), 401);
    let wrong = gateway.get("/users").caller("7", &[]).send().await;
    assert_eq!(wrong.status(), 403);
    let right = gateway.get("/users").caller("7", &["users:read"]);
    assert_eq!(right.send().await.status(), 204);
    let denied = gateway.get("/users").caller("7", &["users:read"]);
    let denied = denied.from([198, 51, 100, 7]).send().await;
    assert_problem!(denied, Code::Forbidden);
}

#[tokio::test]
async fn h2c_is_spoken_where_the_file_says_so() {
    let text = r#"
        [clusters.users]
        endpoints = ["http://10.0.0.1:9001"]
        protocol = "h2c"
        [[routes]]
        match = { path = "/**" }
        to = "users"
    "#;
    let gateway = TestGateway::from_toml(text).unwrap();
    let version = Script::from_fn(|it| {
        assert_eq!(it.headers().get("host"), None, "HTTP/2 has an authority");
        http::Response::new("two".into())
    });
    let gateway = gateway.upstream("users", version);
    assert_eq!(gateway.get("/").send().await.text(), "two");
}

#[tokio::test]
async fn a_gateway_explains_and_what_is_wrong_is_told() {
    let gateway = toml("");
    let explained = gateway.explain(&Probe::get("/users/7"));
    assert!(matches!(explained.answer, Answer::Route { id, .. } if id == "users"));
    let errors = TestGateway::from_toml("[[routes]]\nmatch = {}\nto = \"nobody\"").unwrap_err();
    assert_eq!(errors.problems()[0].path, "routes[0].to");
}

#[cfg(feature = "redis")]
#[tokio::test(start_paused = true)]
async fn shared_limits_are_counted_without_redis() {
    let text = r#"
        [redis]
        url = "redis://nowhere.invalid"
        [[routes]]
        id = "hello"
        match = { path = "/**" }
        respond = { body = "hello" }
        shared_rate_limit = { requests = 1, per = "1h", on_failure = "refuse" }
    "#;
    let gateway = TestGateway::from_toml(text).unwrap();
    let began = clock::now();
    assert_eq!(gateway.get("/").send().await.status(), 200);
    assert_problem!(gateway.get("/").send().await, Code::RateLimited);
    assert_eq!(
        gateway.get("/").from([192, 0, 2, 9]).send().await.status(),
        200
    );
    assert_eq!(clock::now(), began);
}

#[tokio::test]
#[should_panic(expected = "no route leads to \"user\"; there are [\"users\"]")]
async fn a_script_for_nobody_is_a_mistake() {
    drop(toml("").upstream("user", Script::status(200)));
}
