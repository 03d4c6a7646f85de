//! `examples/gateway_embedded`: what its first comment says to do with curl, done.

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
