//! The client as a user tests with it: against the mocks of `wiremock`.

use std::time::Duration;

use msf_client::{Client, Error, ServiceClient};
use msf_core::problem::Code;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_json, header, method, path, query_param},
};

use crate::world::listed;

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Order {
    id: u64,
    item: String,
}

#[tokio::test]
async fn an_order_is_placed_and_found() {
    let server = MockServer::start().await;
    let order = Order {
        id: 7,
        item: "lamp".to_owned(),
    };
    Mock::given(method("POST"))
        .and(path("/orders"))
        .and(header("content-type", "application/json"))
        .and(header("idempotency-key", "cart-1"))
        .and(body_json(&order))
        .respond_with(ResponseTemplate::new(201).set_body_json(&order))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/orders"))
        .and(query_param("item", "lamp & shade"))
        .and(header("authorization", "Bearer of-ada"))
        .respond_with(ResponseTemplate::new(200).set_body_json([&order]))
        .expect(2)
        .mount(&server)
        .await;

    let orders = ServiceClient::at(&server.uri()).unwrap();
    let placed = orders
        .post("/orders")
        .idempotency_key("cart-1")
        .json(&order);
    let placed: Order = placed.send().await.unwrap().json().await.unwrap();
    assert_eq!(placed, order);
    for _ in 0..2 {
        let found = orders
            .get("/orders")
            .query("item", "lamp & shade")
            .header("authorization", "Bearer of-ada");
        let found: Vec<Order> = found.send().await.unwrap().json().await.unwrap();
        assert_eq!(
            found,
            [Order {
                id: 7,
                item: "lamp".to_owned()
            }]
        );
    }
    // What nobody mocked is not found, and said to be so.
    let missing = orders.get("/invoices").send().await.unwrap().ok().await;
    let error = missing.unwrap_err();
    assert_eq!(error.status(), Some(http::StatusCode::NOT_FOUND));
    assert_eq!(error.code(), Some(Code::NotFound));
}

#[tokio::test]
async fn all_services_of_a_client_may_be_retried() {
    let server = MockServer::start().await;
    for status in ["GET", "POST"] {
        Mock::given(method(status))
            .respond_with(ResponseTemplate::new(503))
            .up_to_n_times(1)
            .mount(&server)
            .await;
    }
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!(17)))
        .mount(&server)
        .await;
    let client = Client::builder(listed(&[*server.address()])).retry(|retry| retry);
    let payment = client.build().unwrap().service("payment").unwrap();
    let stock: u32 = payment.get("/").send().await.unwrap().json().await.unwrap();
    assert_eq!(stock, 17);
    assert_eq!(payment.post("/").send().await.unwrap().status(), 503);
    let received = server.received_requests().await.unwrap();
    assert_eq!(received.len(), 3, "the order was sent once");
}

#[tokio::test]
async fn a_slow_mock_is_a_timeout() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    Mock::given(method("GET"))
        .respond_with(slow)
        .mount(&server)
        .await;
    let orders = ServiceClient::at(&server.uri()).unwrap();
    let call = orders.get("/orders").timeout(Duration::from_millis(50));
    let error = call.send().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Timeout {
                is_unsent: false,
                ..
            }
        ),
        "{error:?}"
    );
}
