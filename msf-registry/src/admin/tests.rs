//! The admin service, asked in memory.

use std::time::Duration;

use http::Request;
use msf_core::{
    assert_problem,
    name::{InstanceId, ServiceName},
    problem::Code,
    server::Body,
    testing::TestClient,
};
use serde_json::Value;

use super::Admin;
use crate::{
    backend::{Registrar, memory::MemoryRegistry},
    model::{Instance, Status},
    registry::Registry,
};

#[tokio::test(start_paused = true)]
async fn it_shows_every_word_about_every_instance_that_is_watched() {
    let memory = MemoryRegistry::new();
    let registry = Registry::new(memory.clone());
    let payment = ServiceName::new("payment").unwrap();
    let id = InstanceId::new("p-1").unwrap();
    let instance = Instance::new(payment.clone(), id.clone(), ([127, 0, 0, 1], 80).into());
    let minute = Duration::from_secs(60);
    memory
        .put(&instance.status(Status::Degraded), minute)
        .await
        .unwrap();
    memory
        .set_override(&payment, &id, Some(Status::Down))
        .unwrap();
    let client = TestClient::new(Admin::new(&registry).under("/admin/registry/"));
    let nothing: Value = client.get("/admin/registry/services").await.json();
    assert_eq!(nothing["services"], Value::Array(vec![]));
    assert_problem!(
        client.get("/admin/registry/services/payment").await,
        Code::NotFound
    );

    let handle = registry.service(&payment);
    let mut changes = handle.changes();
    while handle.snapshot().instances().is_empty() {
        changes.changed().await.unwrap();
    }
    let services: Value = client.get("/admin/registry/services").await.json();
    assert_eq!(services["services"][0]["service"], "payment");
    assert_eq!(services["services"][0]["instances"], 1);
    let shown: Value = client.get("/admin/registry/services/payment").await.json();
    assert_eq!(shown["authority"], "complete");
    assert!(shown["age_ms"].is_u64(), "{shown}");
    let one = &shown["instances"][0];
    for (member, expected) in [
        ("id", "p-1"),
        ("status", "degraded"),
        ("operator_status", "down"),
        ("effective_status", "down"),
        ("health", "unknown"),
    ] {
        assert_eq!(one[member], expected, "{member} of {one}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_explains_a_pick() {
    let memory = MemoryRegistry::new();
    let registry = Registry::builder(memory.clone())
        .balance(crate::Balance::Maglev)
        .build()
        .unwrap();
    let payment = ServiceName::new("payment").unwrap();
    let minute = Duration::from_secs(60);
    for n in 1..4 {
        let id = InstanceId::new(format!("p-{n}")).unwrap();
        let instance = Instance::new(payment.clone(), id, ([127, 0, 0, 1], 80 + n).into());
        let status = if n == 3 { Status::Starting } else { Status::Up };
        memory.put(&instance.status(status), minute).await.unwrap();
    }
    let handle = registry.service(&payment);
    let mut changes = handle.changes();
    while handle.snapshot().instances().len() < 3 {
        changes.changed().await.unwrap();
    }
    let client = TestClient::new(Admin::new(&registry));
    let path = "/services/payment/explain?key=user%2D17";
    let explained: Value = client.get(path).await.json();
    let picked = handle
        .pick(&crate::PickContext::new().key(b"user-17"))
        .unwrap();
    assert_eq!(
        explained["chosen"],
        picked.instance().id.as_str(),
        "{explained}"
    );
    assert_eq!(explained["candidates"][2]["why"], "starting");
    assert_problem!(
        client.get("/services/payment/explain?key=%").await,
        Code::BadRequest
    );
    assert_problem!(client.get("/services/user/explain").await, Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn with_a_token_only_who_has_it_may_look() {
    let registry = Registry::new(MemoryRegistry::new());
    let token = "operator-0123456789";
    let admin = Admin::new(&registry).token(token.to_owned()).unwrap();
    assert!(Admin::new(&registry).token("short".to_owned()).is_err());
    assert!(!format!("{admin:?}").contains(token));
    let client = TestClient::new(admin);
    for path in ["/services", "/services/payment", "/nowhere"] {
        assert_problem!(client.get(path).await, Code::Unauthenticated);
    }
    let ask = |token: &str| {
        let ask = Request::get("/services").header("authorization", format!("Bearer {token}"));
        ask.body(Body::empty()).unwrap()
    };
    assert_eq!(client.send(ask(token)).await.status(), 200);
    let wrong = client.send(ask("operator-9876543210")).await;
    assert_problem!(wrong, Code::InvalidToken);
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_answered_with_the_right_problem() {
    let registry = Registry::new(MemoryRegistry::new());
    let client = TestClient::new(Admin::new(&registry).under("/admin"));
    for nowhere in [
        "/",
        "/services",
        "/admin",
        "/admin/",
        "/adminservices",
        "/admin/services/a/b/c/d",
    ] {
        assert_problem!(client.get(nowhere).await, Code::NotFound);
    }
    assert_problem!(
        client.get("/admin/services/Payment").await,
        Code::BadRequest
    );
    let post = Request::post("/admin/services")
        .body(Body::empty())
        .unwrap();
    let refused = client.send(post).await;
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    assert_problem!(refused, Code::MethodNotAllowed);
    let head = Request::head("/admin/services")
        .body(Body::empty())
        .unwrap();
    let head = client.send(head).await;
    assert_eq!((head.status().as_u16(), head.bytes().len()), (200, 0));
}
