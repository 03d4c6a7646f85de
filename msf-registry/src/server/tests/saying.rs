//! Status, override, batches, tokens and addresses over the wire.

use http::{Method, Request};
use msf_core::{
    assert_problem,
    problem::Code,
    server::Body,
    testing::{TestClient, TestResponse},
};
use serde_json::{Value, json};

use super::{TTL, instance, put, server, with_lease};
use crate::{
    backend::memory::MemoryRegistry,
    health::Reach,
    model::{Health, Status},
    server::RegistryServer,
};

const CLIENT: &str = "client-0123456789";
const OPERATOR: &str = "operator-0123456789";
const PATH: &str = "/v1/services/payment/instances/p-1";

fn guarded() -> (MemoryRegistry, TestClient<RegistryServer>) {
    let (memory, _) = server();
    let server = RegistryServer::new(memory.clone())
        .token(CLIENT.to_owned())
        .unwrap()
        .operator_token(OPERATOR.to_owned())
        .unwrap();
    (memory, TestClient::new(server))
}

async fn send(
    client: &TestClient<RegistryServer>,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> TestResponse {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.body(body.into()).unwrap()).await
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn status_of(memory: &MemoryRegistry) -> (Status, Option<Status>) {
    let snapshot = memory.snapshot(&instance(1).service);
    let member = &snapshot.instances()[0];
    (member.instance.status, member.operator_status)
}

#[tokio::test(start_paused = true)]
async fn an_instance_says_how_it_is_with_its_lease() {
    let (memory, client) = server();
    let lease = memory.register_now(&instance(1), TTL).unwrap();
    let path = format!("{PATH}/status");
    let header = [("x-msf-lease", lease.token())];
    let draining = json!({"status": "draining"}).to_string();
    let set = send(&client, Method::PUT, &path, &header, draining.clone()).await;
    assert_eq!(set.status(), 204);
    assert_eq!(status_of(&memory), (Status::Draining, None));
    let state: Value = client.get("/v1/services/payment").await.json();
    assert_eq!(state["instances"][0]["status"], "draining");

    let another = [("x-msf-lease", "0123456789abcdef")];
    let refused = send(&client, Method::PUT, &path, &another, draining).await;
    assert_problem!(refused, Code::NotFound);
    let nonsense = json!({"status": "sleepy"}).to_string();
    let refused = send(&client, Method::PUT, &path, &header, nonsense).await;
    assert_problem!(refused, Code::ValidationFailed);
    let none = send(&client, Method::PUT, &path, &[], "{}").await;
    assert_problem!(none, Code::BadRequest);

    assert_eq!(
        with_lease(&client, Method::DELETE, &path, lease.token())
            .await
            .status(),
        204
    );
    assert_eq!(status_of(&memory), (Status::Up, None));
    let wrong = client.get(&path).await;
    assert_eq!(wrong.header("allow"), Some("PUT, DELETE"));
}

#[tokio::test(start_paused = true)]
async fn an_operator_speaks_for_an_instance() {
    let (memory, client) = guarded();
    memory.register_now(&instance(1), TTL).unwrap();
    let path = format!("{PATH}/override");
    let out = json!({"status": "out_of_service"}).to_string();
    let (operator, user) = (bearer(OPERATOR), bearer(CLIENT));
    let operator = [("authorization", operator.as_str())];
    let user = [("authorization", user.as_str())];

    let denied = send(&client, Method::PUT, &path, &user, out.clone()).await;
    assert_eq!(
        denied.header("www-authenticate"),
        Some("Bearer error=\"insufficient_scope\"")
    );
    assert_problem!(denied, Code::Forbidden);
    assert_eq!(status_of(&memory), (Status::Up, None));

    let set = send(&client, Method::PUT, &path, &operator, out.clone()).await;
    assert_eq!(set.status(), 204);
    assert_eq!(status_of(&memory), (Status::Up, Some(Status::OutOfService)));
    let state = send(&client, Method::GET, "/v1/services/payment", &user, "").await;
    let state: Value = state.json();
    assert_eq!(state["instances"][0]["operator_status"], "out_of_service");
    assert_eq!(
        state["instances"][0].get("status"),
        None,
        "its own word stays"
    );

    let clear = send(&client, Method::DELETE, &path, &operator, "").await;
    assert_eq!(clear.status(), 204);
    assert_eq!(status_of(&memory), (Status::Up, None));
    let elsewhere = "/v1/services/payment/instances/p-9/override";
    let unknown = send(&client, Method::PUT, elsewhere, &operator, out).await;
    assert_problem!(unknown, Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn without_an_operator_token_nobody_is_an_operator() {
    let (memory, client) = server();
    memory.register_now(&instance(1), TTL).unwrap();
    let path = format!("{PATH}/override");
    let out = json!({"status": "out_of_service"}).to_string();
    let denied = send(&client, Method::PUT, &path, &[], out).await;
    assert_problem!(denied, Code::Forbidden);
    assert_eq!(status_of(&memory), (Status::Up, None));
}

#[tokio::test(start_paused = true)]
async fn without_its_token_nobody_reads_or_registers() {
    let (_, client) = guarded();
    for path in ["/v1/services", "/v1/services/payment"] {
        let denied = client.get(path).await;
        assert_eq!(denied.header("www-authenticate"), Some("Bearer"));
        assert_problem!(denied, Code::Unauthenticated);
    }
    let body = serde_json::to_value(instance(1)).unwrap();
    assert_problem!(
        put(&client, PATH, body.clone()).await,
        Code::Unauthenticated
    );
    let wrong = [("authorization", "Bearer client-9876543210")];
    let denied = send(&client, Method::PUT, PATH, &wrong, body.to_string()).await;
    assert_problem!(denied, Code::InvalidToken);
    assert_eq!(
        client.get("/v1/health").await.status(),
        200,
        "a probe has no token"
    );

    let right = bearer(CLIENT);
    let right = [("authorization", right.as_str())];
    let granted = send(&client, Method::PUT, PATH, &right, body.to_string()).await;
    assert_eq!(granted.status(), 200);
    let shown = format!("{client:?}");
    assert!(
        !shown.contains(CLIENT) && !shown.contains(OPERATOR),
        "{shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn many_leases_are_renewed_at_once_and_each_is_answered() {
    let (memory, client) = server();
    let one = memory.register_now(&instance(1), TTL).unwrap();
    let item =
        |n: u16, lease: &str| json!({"service": "payment", "id": format!("p-{n}"), "lease": lease});
    let asked = json!([
        item(1, one.token()),
        item(2, "0123456789abcdef"),
        {"service": "Payment!", "id": "p-1", "lease": "x"},
        7,
        item(1, "not even a token"),
    ]);
    let answer = send(&client, Method::POST, "/v1/renew", &[], asked.to_string()).await;
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json();
    assert_eq!(
        answer["results"],
        json!([
            {"result": "ok", "ttl_ms": 15_000},
            {"result": "gone"},
            {"result": "invalid"},
            {"result": "invalid"},
            {"result": "gone"},
        ])
    );
    let nobody = send(&client, Method::POST, "/v1/renew", &[], "[]").await;
    assert_eq!(nobody.json::<Value>()["results"], json!([]));
    let many = json!(vec![item(1, "x"); 1_001]).to_string();
    let refused = send(&client, Method::POST, "/v1/renew", &[], many).await;
    assert_problem!(refused, Code::ValidationFailed);
    let huge = format!("[{}]", " ".repeat(600 * 1_024));
    let refused = send(&client, Method::POST, "/v1/renew", &[], huge).await;
    assert_problem!(refused, Code::PayloadTooLarge);
    let deep = "[".repeat(100_000);
    let refused = send(&client, Method::POST, "/v1/renew", &[], deep).await;
    assert_problem!(refused, Code::BadRequest);
    let garbage = send(&client, Method::POST, "/v1/renew", &[], vec![0xff, 0xfe]).await;
    assert_problem!(garbage, Code::BadRequest);
    assert_eq!(client.get("/v1/renew").await.header("allow"), Some("POST"));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_nobody_should_ask_is_refused_by_its_field() {
    let (memory, client) = server();
    let good = serde_json::to_value(instance(1)).unwrap();
    for (field, value) in [
        ("endpoints", json!(["http://169.254.169.254:80"])),
        (
            "endpoints",
            json!(["http://127.0.0.1:80", "http://[fe80::1]:80"]),
        ),
        ("endpoints", json!(["http://[::ffff:169.254.169.254]:80"])),
        ("endpoints", json!(["http://224.0.0.1:80"])),
        ("health_check", json!("http://169.254.169.254:80/latest")),
        ("health_check", json!("tcp://100.100.100.200:80")),
    ] {
        let mut bad = good.clone();
        bad[field] = value.clone();
        let refused = put(&client, PATH, bad).await;
        let problem: Value = refused.json();
        assert_eq!(
            problem["errors"][0]["pointer"],
            format!("/{field}"),
            "{value}: {problem}"
        );
        assert_problem!(refused, Code::ValidationFailed);
    }
    assert!(memory.service_names().is_empty());
    let range = "169.254.0.0/16".parse().unwrap();
    let open = RegistryServer::new(memory).reach(Reach::default().allow(range));
    let mut local = good;
    local["endpoints"] = json!(["http://169.254.7.7:80"]);
    assert_eq!(put(&TestClient::new(open), PATH, local).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn of_two_processes_with_one_id_the_first_is_told() {
    let (memory, client) = server();
    let mut body = serde_json::to_value(instance(1)).unwrap();
    assert_eq!(put(&client, PATH, body.clone()).await.status(), 200);
    body["endpoints"] = json!(["http://10.0.0.9:80"]);
    assert_eq!(put(&client, PATH, body.clone()).await.status(), 200);
    body["endpoints"] = json!(["http://127.0.0.1:8001"]);
    let refused = put(&client, PATH, body).await;
    assert!(refused.text().contains("10.0.0.9:80"), "{}", refused.text());
    assert_problem!(refused, Code::Conflict);
    let held = memory.snapshot(&instance(1).service);
    assert_eq!(held.instances()[0].health, Health::Unknown);
}
