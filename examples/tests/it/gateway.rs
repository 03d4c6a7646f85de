//! `examples/gateway_embedded`: what its first comment says to do with curl, done. `examples/gateway_config`: the same with
//! scripts in the place of its services.

use msf_core::{assert_problem, problem::Code};
use msf_gateway::{
    config::GatewayConfig,
    testing::{Script, TestGateway},
};

use crate::process::{Example, command, get};

#[test]
fn an_embedded_gateway_asks_for_tokens_knows_its_services_and_ends() {
    let mut gateway = Example::run(command("gateway_embedded").arg("0"));
    let addr = gateway.addr();
    assert_eq!(
        get(addr, "/api/orders/7", "").json()["code"],
        "unauthenticated"
    );
    assert_eq!(get(addr, "/api/orders7", "").status, 404);
    // Whatever listens there, it is asked without a token.
    assert_ne!(get(addr, "/api/inventory", "").status, 401);
    let health = get(addr, "/health", "").body;
    assert!(health.contains("payment-service"), "{health}");
    let metrics = get(addr, "/metrics", "").body;
    assert!(
        metrics.contains("http_route=\"/api/orders/**\""),
        "{metrics}"
    );
    gateway.signal("-TERM");
    assert_eq!(gateway.ended().code(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn the_gateway_of_a_file_splits_redirects_limits_and_knows_canaries() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/gateway_config/gateway.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let config = GatewayConfig::load(file, &text).unwrap_or_else(|errors| panic!("{errors}"));
    let gateway = TestGateway::from_config(&config)
        .unwrap_or_else(|errors| panic!("{errors}"))
        .upstream("users", Script::text(200, "users"))
        .upstream("users-v2", Script::text(200, "users-v2"));

    let canary = gateway.get("/api/users/7").header("x-canary", "1");
    assert_eq!(canary.send().await.text(), "users-v2");
    assert_eq!(gateway.received("users-v2")[0].path(), "/api/users/7");

    let old = gateway.get("/users/7").send().await;
    assert_eq!(old.status(), 308);
    assert_eq!(old.header("location"), Some("/api/users/7"));
    assert_eq!(
        gateway
            .get("/version")
            .send()
            .await
            .json::<serde_json::Value>()["version"],
        1
    );

    // A hundred a second, and the split is one of chance.
    let ask = || gateway.get("/api/users/7").from([192, 0, 2, 7]).send();
    let mut to_next = 0;
    for _ in 0..100 {
        to_next += usize::from(ask().await.text() == "users-v2");
    }
    assert!(to_next < 50, "{to_next} of 100, and 5 are meant");
    assert_problem!(ask().await, Code::RateLimited);
    assert_eq!(gateway.received("users").len(), 100 - to_next);
}
