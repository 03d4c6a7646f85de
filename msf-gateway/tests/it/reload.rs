//! Another configuration while the gateway serves.

use http::{Request, Response};
use msf_client::Client;
use msf_core::{body::Body, testing::TestClient};
use msf_gateway::{Gateway, GatewayBuilder, Route};
use msf_registry::{Registry, backend::memory::MemoryRegistry};

use crate::common::{System, get, start};

async fn users(_request: Request<Body>) -> Response<Body> {
    Response::new(Body::from("users"))
}

async fn orders(_request: Request<Body>) -> Response<Body> {
    Response::new(Body::from("orders"))
}

fn builder(system: &System, to: &str) -> GatewayBuilder {
    let client = Client::builder(system.registry.clone()).build().unwrap();
    Gateway::builder(client).route(Route::prefix("/").to(to).public())
}

#[tokio::test]
async fn another_configuration_reaches_connections_that_are_open() {
    let system = System::new().with("user", users).await;
    let system = system.with("order", orders).await;
    let gateway = system.build(builder(&system, "user")).await;
    let client = TestClient::new(gateway.clone().into_service());
    let request = || {
        let request = Request::get("/").header("host", "a");
        request.body(Body::empty()).unwrap()
    };
    assert_eq!(client.send(request()).await.text(), "users");

    let revision = gateway.apply(builder(&system, "order")).unwrap();
    assert_eq!(revision.get(), 2);
    assert_eq!(client.send(request()).await.text(), "orders");
    assert_eq!(gateway.revision(), revision);
}

#[tokio::test]
async fn a_gateway_that_serves_stays_ready_and_takes_the_next_one() {
    let system = System::new().with("user", users).await;
    let system = system.with("order", orders).await;
    let running = start(system.build(builder(&system, "user")).await);
    assert_eq!(get(running.addr(), "/").await.text(), "users");

    let gateway = running.gateway();
    gateway.apply(builder(&system, "order")).unwrap();
    assert_eq!(get(running.addr(), "/").await.text(), "orders");
    assert_eq!(get(running.addr(), "/readyz").await.status(), 200);
}

#[tokio::test]
async fn what_is_wrong_is_not_applied() {
    let system = System::new().with("user", users).await;
    let running = start(system.build(builder(&system, "user")).await);
    let client = Client::builder(Registry::new(MemoryRegistry::new()));
    let wrong = Gateway::builder(client.build().unwrap());
    let errors = running.gateway().apply(wrong).unwrap_err();
    assert_eq!(errors.all().len(), 1, "{errors}");
    assert_eq!(running.gateway().revision().get(), 1);
    assert_eq!(get(running.addr(), "/").await.text(), "users");
}
