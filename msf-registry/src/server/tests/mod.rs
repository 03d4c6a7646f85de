//! The server, asked in memory.

mod events;
mod saying;
mod tags;

use std::time::Duration;

use http::{Method, Request, StatusCode};
use msf_core::{
    assert_problem, clock,
    name::{InstanceId, ServiceName},
    problem::Code,
    server::Body,
    testing::{TestClient, TestResponse},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::RegistryServer;
use crate::{backend::memory::MemoryRegistry, model::Instance};

const TTL: Duration = Duration::from_secs(15);

fn server() -> (MemoryRegistry, TestClient<RegistryServer>) {
    let memory = MemoryRegistry::builder().warm_up(Duration::ZERO).build();
    (memory.clone(), TestClient::new(RegistryServer::new(memory)))
}

fn instance(n: u16) -> Instance {
    let id = InstanceId::new(format!("p-{n}")).unwrap();
    let service = ServiceName::new("payment").unwrap();
    Instance::new(service, id, ([127, 0, 0, 1], 8_000 + n).into())
}

async fn put(client: &TestClient<RegistryServer>, path: &str, body: Value) -> TestResponse {
    let request = Request::put(path)
        .header("content-type", "application/json; charset=utf-8")
        .body(body.to_string())
        .unwrap();
    client.send(request).await
}

async fn with_lease(
    client: &TestClient<RegistryServer>,
    method: Method,
    path: &str,
    lease: &str,
) -> TestResponse {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("x-msf-lease", lease);
    client.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn a_registration_lives_and_ends_over_the_wire() {
    let (memory, client) = server();
    let path = "/v1/services/payment/instances/p-1";
    let body = serde_json::to_value(instance(1)).unwrap();
    let granted = put(&client, &format!("{path}?ttl_ms=3000"), body).await;
    assert_eq!(granted.status(), 200);
    let granted: Value = granted.json();
    assert_eq!(granted["ttl_ms"], 3_000);
    let lease = granted["lease"].as_str().unwrap();

    let state: Value = client.get("/v1/services/payment").await.json();
    assert_eq!(
        state["instances"][0]["endpoints"][0],
        "http://127.0.0.1:8001"
    );
    assert_eq!(state["instances"][0]["health"], "unknown");
    assert_eq!(
        (&state["authoritative"], &state["epoch"]),
        (&json!(true), &granted["epoch"])
    );
    let about: Value = client.get("/v1/health").await.json();
    assert_eq!(
        (&about["instances"], &about["services"]),
        (&json!(1), &json!(1))
    );

    let renew = format!("{path}/renew");
    assert_eq!(
        with_lease(&client, Method::POST, &renew, lease)
            .await
            .status(),
        200
    );
    let stale = with_lease(&client, Method::POST, &renew, "0123456789abcdef").await;
    assert_problem!(stale, Code::NotFound);
    for _ in 0..2 {
        let ended = with_lease(&client, Method::DELETE, path, lease).await;
        assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    }
    assert!(memory.service_names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_answered_with_the_right_problem() {
    let (_, client) = server();
    let path = "/v1/services/payment/instances/p-1";
    let good = || serde_json::to_value(instance(1)).unwrap();
    for nowhere in [
        "/",
        "/v1",
        "/v1/",
        "/v2/services",
        "/v1/services/payment/instances",
        "/v1/services/a/instances/b/renew/c",
    ] {
        assert_problem!(client.get(nowhere).await, Code::NotFound);
    }
    assert_problem!(client.get("/v1/services/Payment").await, Code::BadRequest);
    assert_problem!(client.get("/v1/services/a%2fb").await, Code::BadRequest);
    assert_problem!(client.get("/v1/services/").await, Code::BadRequest);
    let wrong_method = client.get(path).await;
    assert_eq!(wrong_method.header("allow"), Some("PUT, DELETE"));
    assert_problem!(wrong_method, Code::MethodNotAllowed);

    assert_problem!(
        put(&client, path, json!({"id": "p-1"})).await,
        Code::ValidationFailed
    );
    assert_problem!(
        put(&client, "/v1/services/payment/instances/p-2", good()).await,
        Code::ValidationFailed
    );
    assert_problem!(
        put(&client, &format!("{path}?ttl_ms=1"), good()).await,
        Code::ValidationFailed
    );
    assert_problem!(
        put(&client, &format!("{path}?ttl_ms=soon"), good()).await,
        Code::BadRequest
    );
    let mut bad = good();
    bad["health_check"] = json!("//evil");
    assert_problem!(put(&client, path, bad).await, Code::ValidationFailed);

    let text = Request::put(path).body(good().to_string()).unwrap();
    assert_problem!(client.send(text).await, Code::UnsupportedMediaType);
    let cut = Request::put(path)
        .header("content-type", "application/json")
        .body("{")
        .unwrap();
    assert_problem!(client.send(cut).await, Code::BadRequest);
    let mut huge = good();
    huge["padding"] = json!("x".repeat(65 * 1_024));
    assert_problem!(put(&client, path, huge).await, Code::PayloadTooLarge);
    assert_problem!(
        client.get("/v1/services/payment?after=1").await,
        Code::BadRequest
    );
    let no_lease = Request::delete(path).body(Body::empty()).unwrap();
    assert_problem!(client.send(no_lease).await, Code::BadRequest);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_is_answered_at_the_change_or_after_its_wait() {
    let (memory, client) = server();
    let state: Value = client.get("/v1/services/payment").await.json();
    let url = format!(
        "/v1/services/payment?epoch={}&after={}&wait_ms=5000",
        state["epoch"].as_str().unwrap(),
        state["revision"]
    );
    let start = clock::now();
    let nothing = client.get(&url).await;
    assert_eq!(nothing.status(), StatusCode::NO_CONTENT);
    assert_eq!(nothing.header("cache-control"), Some("no-store"));
    assert!(clock::now() - start >= Duration::from_secs(5));
    let register = async {
        sleep(Duration::from_secs(1)).await;
        memory.register_now(&instance(1), TTL).unwrap();
        clock::now()
    };
    let (answer, registered) = tokio::join!(client.get(&url), register);
    assert_eq!(answer.status(), 200);
    assert!(clock::now() - registered < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn watchers_are_bounded_and_one_that_leaves_makes_room() {
    let memory = MemoryRegistry::builder().warm_up(Duration::ZERO).build();
    let client = TestClient::new(RegistryServer::new(memory).watchers_max(1));
    let state: Value = client.get("/v1/services/payment").await.json();
    let epoch = state["epoch"].as_str().unwrap();
    let url = format!("/v1/services/payment?epoch={epoch}&after=1&wait_ms=20000");
    let revision = &state["revision"];
    let url = url.replace("after=1", &format!("after={revision}"));
    {
        let first = client.get(&url);
        tokio::pin!(first);
        assert!(timeout(Duration::from_secs(1), &mut first).await.is_err());
        let second = client.get(&url).await;
        assert!(second.header("retry-after").is_some());
        assert_problem!(second, Code::Overloaded);
        let fresh = client.get("/v1/services/payment").await;
        assert_eq!(fresh.status(), 200, "who does not wait takes no place");
    }
    assert_eq!(client.get(&url).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_just_started_vouches_for_nothing() {
    let client = TestClient::new(RegistryServer::new(MemoryRegistry::new()));
    let state: Value = client.get("/v1/services/payment").await.json();
    assert_eq!(state["authoritative"], false);
    sleep(TTL).await;
    let state: Value = client.get("/v1/services/payment").await.json();
    assert_eq!(state["authoritative"], true);
}

#[tokio::test(start_paused = true)]
async fn head_is_answered_like_get_without_the_content() {
    let (memory, client) = server();
    memory.register_now(&instance(1), TTL).unwrap();
    for path in ["/v1/health", "/v1/services", "/v1/services/payment"] {
        let get = client.get(path).await;
        let head = Request::head(path).body(Body::empty()).unwrap();
        let head = client.send(head).await;
        assert_eq!(head.status(), 200, "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        let length = get.bytes().len().to_string();
        assert_eq!(head.header("content-length"), Some(&*length), "{path}");
        assert!(head.bytes().is_empty(), "{path}");
    }
    let post = Request::post("/v1/services").body(Body::empty()).unwrap();
    assert_eq!(client.send(post).await.header("allow"), Some("GET, HEAD"));
}
