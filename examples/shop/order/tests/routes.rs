//! The routes of the order service: what customers and staff may ask for, and what they are told.

use msf_core::{
    assert_problem, clock::WallClock, problem::Code, task::Task, testing::TestResponse,
};
use serde_json::{Value, json};
use std::sync::Arc;

use super::fakes::Others;
use crate::{
    audit,
    identity::Role,
    order::{self, driver::Patience, http},
    paths::DataDir,
    testing::{Caller, TempDir, Tokens},
};

struct Shop {
    dir: TempDir,
    others: Others,
    ada: Caller,
    eve: Caller,
    grace: Caller,
    anybody: Caller,
    _saga: Task<()>,
}

async fn shop() -> Shop {
    let dir = TempDir::new();
    let data = DataDir::joined(dir.path().to_owned(), false);
    let others = Others::open(&data).await;
    let tokens = Tokens::new();
    let (inventory, payments) = (Arc::new(others.clone()), Arc::new(others.clone()));
    let clock = WallClock::system();
    let patience = Patience::standard();
    let (mut orders, dispatcher) = order::start(&data, inventory, payments, patience, clock)
        .await
        .unwrap();
    orders.wait = std::time::Duration::from_millis(500);
    let anybody = Caller::new(http::router(orders, tokens.verifier("order")).unwrap());
    Shop {
        dir,
        others,
        ada: anybody.with(tokens.user(7, Role::Customer)),
        eve: anybody.with(tokens.user(8, Role::Customer)),
        grace: anybody.with(tokens.user(1, Role::Staff)),
        anybody,
        _saga: msf_core::task::spawn("saga", dispatcher.run()),
    }
}

fn basket(product: i64, quantity: i64, card: &str) -> Value {
    json!({
        "items": [{ "product_id": product, "quantity": quantity }],
        "payment": { "payment_method": "card", "card_token": card },
    })
}

impl Shop {
    async fn order(&self, key: &str, basket: Value) -> TestResponse {
        self.ada.key(key).post("/api/orders", basket).await
    }

    fn audited(&self) {
        let report = audit::audit(self.dir.path()).unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

#[tokio::test]
async fn an_order_is_priced_by_the_inventory_and_confirmed() {
    let shop = shop().await;
    let answer = shop.order("k", basket(2, 3, "tok_visa")).await;
    assert_eq!(answer.status(), 201, "{}", answer.text());
    assert_eq!(answer.header("location"), Some("/api/orders/1"));
    let order: Value = answer.json();
    assert_eq!(order["status"], "confirmed");
    assert_eq!(order["customer_id"], 7);
    assert_eq!(order["total_amount"], 1_350);
    assert_eq!(
        order["items"][0],
        json!({ "product_id": 2, "quantity": 3, "unit_price": 450 })
    );
    assert!(order["payment_id"].as_str().unwrap().starts_with("pay_"));
    shop.audited();
}

#[tokio::test]
async fn the_same_key_is_the_same_order_for_one_customer() {
    let shop = shop().await;
    let first = shop.order("k", basket(1, 1, "tok_visa")).await;
    let again = shop.order("k", basket(1, 1, "tok_visa")).await;
    assert_eq!(
        (first.status(), first.text()),
        (again.status(), again.text())
    );
    for other in [basket(1, 2, "tok_visa"), basket(1, 1, "tok_slow")] {
        assert_problem!(shop.order("k", other).await, Code::IdempotencyKeyReused);
    }
    let body = basket(1, 1, "tok_visa");
    let eves: Value = shop
        .eve
        .key("k")
        .post("/api/orders", body.clone())
        .await
        .json();
    assert_eq!((&eves["id"], &eves["customer_id"]), (&json!(2), &json!(8)));
    let without = shop.ada.post("/api/orders", body).await;
    assert_problem!(without, Code::IdempotencyKeyRequired);
    shop.audited();
}

#[tokio::test]
async fn a_key_is_visible_ascii_of_some_length() {
    let shop = shop().await;
    for key in ["a b", "a\tb", &"k".repeat(256)] {
        let refused = shop.order(key, basket(1, 1, "tok_visa")).await;
        assert_problem!(refused, Code::BadRequest);
    }
    let longest = shop.order(&"~".repeat(255), basket(1, 1, "tok_visa")).await;
    assert_eq!(longest.status(), 201);
}

#[tokio::test]
async fn a_declined_card_and_an_empty_shelf_are_told_and_undone() {
    let shop = shop().await;
    for _copy in 0..2 {
        let declined = shop.order("a", basket(24, 1, "tok_declined")).await;
        let problem = assert_problem!(declined, Code::PaymentRequired);
        assert_eq!(problem.member("order_id"), Some(&1.into()));
        assert_eq!(
            problem.member("order_status"),
            Some(&"payment_failed".into())
        );
    }
    let short = shop.order("b", basket(24, 2, "tok_visa")).await;
    let problem = assert_problem!(short, Code::Conflict);
    assert_eq!(problem.member("order_status"), Some(&"out_of_stock".into()));
    assert_problem!(
        shop.order("c", basket(99, 1, "tok_visa")).await,
        Code::Conflict
    );
    assert_eq!(
        shop.order("d", basket(24, 1, "tok_visa")).await.status(),
        201
    );
    shop.audited();
}

#[tokio::test]
async fn neither_customer_nor_price_come_from_the_client() {
    let shop = shop().await;
    let mut customer = basket(1, 1, "tok_visa");
    customer["customer_id"] = 8.into();
    let mut price = basket(1, 1, "tok_visa");
    price["items"][0]["unit_price"] = 1.into();
    let mut twice = basket(1, 1, "tok_visa");
    twice["items"] =
        json!([{ "product_id": 1, "quantity": 1 }, { "product_id": 1, "quantity": 1 }]);
    let mut cash = basket(1, 1, "tok_visa");
    cash["payment"]["payment_method"] = "cash".into();
    for (body, place) in [
        (customer, "/customer_id"),
        (price, "/items/0/unit_price"),
        (twice, "/items/1/product_id"),
        (cash, "/payment/payment_method"),
        (basket(1, 0, "tok_visa"), "/items/0/quantity"),
        (basket(1, 1_001, "tok_visa"), "/items/0/quantity"),
        (basket(1, 1, "4111 1111 1111 1111"), "/payment/card_token"),
    ] {
        let problem = assert_problem!(shop.order("k", body).await, Code::ValidationFailed);
        assert_eq!(problem.errors[0].pointer, place);
    }
    assert_eq!(shop.others.calls(), 0);
}

#[tokio::test]
async fn an_order_is_its_customers_and_the_staffs() {
    let shop = shop().await;
    shop.order("k", basket(1, 1, "tok_visa")).await;
    for path in ["/api/orders/1", "/api/orders/99"] {
        assert_problem!(shop.eve.get(path).await, Code::NotFound);
        let cancel = shop.eve.post(&format!("{path}/cancel"), Value::Null).await;
        assert_problem!(cancel, Code::NotFound);
    }
    for caller in [&shop.ada, &shop.grace] {
        assert_eq!(caller.get("/api/orders/1").await.status(), 200);
    }
    let count =
        async |caller: &Caller, path: &str| caller.get(path).await.json::<Vec<Value>>().len();
    assert_eq!(count(&shop.ada, "/api/orders").await, 1);
    assert_eq!(count(&shop.eve, "/api/orders").await, 0);
    assert_eq!(count(&shop.grace, "/api/orders").await, 0);
    assert_eq!(count(&shop.grace, "/api/orders?customer_id=7").await, 1);
    assert_problem!(
        shop.eve.get("/api/orders?customer_id=7").await,
        Code::Forbidden
    );
    for (method, path) in [
        ("GET", "/api/orders"),
        ("GET", "/api/orders/1"),
        ("POST", "/api/orders"),
        ("PUT", "/api/orders/1/status"),
        ("POST", "/api/orders/1/cancel"),
    ] {
        let answer = shop.anybody.send(method, path, None).await;
        assert_problem!(answer, Code::Unauthenticated);
    }
}

#[tokio::test]
async fn only_staff_says_that_an_order_was_shipped() {
    let shop = shop().await;
    shop.order("k", basket(1, 1, "tok_visa")).await;
    let path = "/api/orders/1/status";
    let set = async |caller: &Caller, status: &str| {
        caller
            .send("PUT", path, Some(json!({ "status": status })))
            .await
    };
    assert_problem!(set(&shop.ada, "shipped").await, Code::Forbidden);
    assert_problem!(set(&shop.grace, "delivered").await, Code::Conflict);
    assert_problem!(set(&shop.grace, "cancelled").await, Code::ValidationFailed);
    for status in ["shipped", "shipped", "delivered"] {
        let order: Value = set(&shop.grace, status).await.json();
        assert_eq!(order["status"], status);
    }
    let late = shop.ada.post("/api/orders/1/cancel", Value::Null).await;
    assert_problem!(late, Code::Conflict);
    shop.audited();
}

#[tokio::test]
async fn an_order_that_takes_long_goes_on_and_can_be_cancelled() {
    let shop = shop().await;
    shop.others.set_down(true);
    let answer = shop.order("k", basket(1, 1, "tok_visa")).await;
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.header("location"), Some("/api/orders/1"));
    assert_eq!(answer.json::<Value>()["status"], "pending");

    let cancelled = shop.ada.post("/api/orders/1/cancel", Value::Null).await;
    assert_eq!(cancelled.status(), 202);
    assert_eq!(cancelled.json::<Value>()["status"], "cancelling");
    shop.others.set_down(false);
    for _try in 0..20 {
        let order = shop.ada.post("/api/orders/1/cancel", Value::Null).await;
        if order.status() == 200 {
            assert_eq!(order.json::<Value>()["status"], "cancelled");
            return shop.audited();
        }
    }
    panic!("the order was never cancelled");
}

#[tokio::test]
async fn the_card_token_is_nowhere_in_clear() {
    let shop = shop().await;
    shop.others.set_down(true);
    let open = shop.order("open", basket(1, 1, "tok_visa")).await;
    assert_eq!(open.status(), 202);
    for file in std::fs::read_dir(shop.dir.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(path).unwrap();
            assert!(!bytes.windows(4).any(|window| window == b"tok_"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_races_the_saga_wins_or_loses_but_never_both() {
    let shop = shop().await;
    let mut cancelled = 0;
    for number in 1..=40_u64 {
        let caller = shop.ada.key(format!("k{number}"));
        let placing = msf_core::task::spawn("place", async move {
            caller.post("/api/orders", basket(2, 1, "tok_visa")).await
        });
        tokio::time::sleep(std::time::Duration::from_micros(number * 250)).await;
        let cancel = format!("/api/orders/{number}/cancel");
        let cancel = shop.ada.post(&cancel, Value::Null).await;
        let placed = placing.join().await.unwrap();
        let order: Value = shop.ada.get(&format!("/api/orders/{number}")).await.json();
        match cancel.status().as_u16() {
            200 => {
                cancelled += 1;
                assert_eq!(
                    (placed.status().as_u16(), &order["status"]),
                    (409, &json!("cancelled"))
                );
            }
            // Too late, or too early: the order was not there yet.
            404 | 409 => assert_eq!(
                (placed.status().as_u16(), &order["status"]),
                (201, &json!("confirmed"))
            ),
            other => panic!("{other} {}", cancel.text()),
        }
    }
    println!("{cancelled} of 40 were cancelled");
    shop.audited();
}
