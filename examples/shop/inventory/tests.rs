//! The inventory service on its own: browsing, reserving, giving back.

use msf_core::{assert_problem, clock::WallClock, problem::Code, testing::TestResponse};
use serde_json::{Value, json};

use super::{http, store};
use crate::{
    db::Db,
    identity::Role,
    testing::{Caller, TempDir, Tokens},
};

struct Shop {
    _dir: TempDir,
    tokens: Tokens,
    anybody: Caller,
    order: Caller,
}

async fn shop() -> Shop {
    let dir = TempDir::new();
    let db = Db::open(dir.path().join("inventory.db"), store::MIGRATIONS);
    let db = db.await.unwrap();
    for _replica in 0..2 {
        db.write(store::seed).await.unwrap();
    }
    let tokens = Tokens::new();
    let app = http::App {
        db,
        clock: WallClock::system(),
    };
    let anybody = Caller::new(http::router(app, tokens.verifier("inventory")).unwrap());
    Shop {
        _dir: dir,
        order: anybody.with(tokens.order_service("inventory")),
        tokens,
        anybody,
    }
}

impl Shop {
    async fn available(&self, product: i64) -> i64 {
        let path = format!("/api/inventory/products/{product}");
        let shown: Value = self.anybody.get(&path).await.json();
        shown["available"].as_i64().unwrap()
    }

    async fn reserve(&self, order: i64, items: Value) -> TestResponse {
        let body = json!({ "order_id": order, "items": items });
        self.order.post("/internal/reservations", body).await
    }

    async fn settle(&self, order: i64, what: &str) -> TestResponse {
        let path = format!("/internal/reservations/{order}/{what}");
        self.order.post(&path, Value::Null).await
    }
}

#[tokio::test]
async fn everybody_may_browse_in_pages() {
    let shop = shop().await;
    let first = shop.anybody.get("/api/inventory/products?limit=20").await;
    let link = first.header("link").unwrap().to_owned();
    let products: Vec<Value> = first.json();
    assert_eq!(products.len(), 20);
    assert_eq!(
        products[0],
        json!({
            "id": 1, "name": "Analytical Engine, desk size", "unit_price": 129_900,
            "currency": "EUR", "available": 40,
        })
    );
    let next = link.trim_start_matches('<').split('>').next().unwrap();
    let rest: Vec<Value> = shop.anybody.get(next).await.json();
    assert_eq!(rest.len(), 4);

    let path = "/api/inventory/products/24/availability?quantity=";
    for (quantity, available) in [(1, true), (2, false)] {
        let answer: Value = shop.anybody.get(&format!("{path}{quantity}")).await.json();
        assert_eq!(answer["available"], available);
    }
    assert_problem!(
        shop.anybody.get("/api/inventory/products/99").await,
        Code::NotFound
    );
}

#[tokio::test]
async fn only_the_order_service_may_reserve() {
    let shop = shop().await;
    let body = json!({ "order_id": 1, "items": [{ "product_id": 1, "quantity": 1 }] });
    let path = "/internal/reservations";
    let nobody = shop.anybody.post(path, body.clone()).await;
    assert_problem!(nobody, Code::Unauthenticated);
    let staff = shop.anybody.with(shop.tokens.user(1, Role::Staff));
    assert_problem!(staff.post(path, body.clone()).await, Code::Forbidden);
    // A token of the same service, for another audience.
    let stray = shop.anybody.with(shop.tokens.order_service("payment"));
    assert_problem!(stray.post(path, body).await, Code::InvalidToken);
    assert_eq!(shop.available(1).await, 40);
}

#[tokio::test]
async fn a_reservation_is_all_or_nothing_and_answered_the_same_again() {
    let shop = shop().await;
    let items = json!([{ "product_id": 1, "quantity": 2 }, { "product_id": 24, "quantity": 1 }]);
    let first = shop.reserve(1, items.clone()).await;
    let again = shop.reserve(1, items.clone()).await;
    assert_eq!(first.text(), again.text());
    assert_eq!(first.json::<Value>()["items"][0]["unit_price"], 129_900);
    assert_eq!((shop.available(1).await, shop.available(24).await), (38, 0));

    let short = shop.reserve(2, items).await;
    let problem = assert_problem!(short, Code::Conflict);
    assert_eq!(problem.member("reason"), Some(&"out_of_stock".into()));
    assert_eq!(
        problem.member("shortages"),
        Some(&json!([{ "product_id": 24, "available": 0 }]))
    );
    assert_eq!(shop.available(1).await, 38);

    let other = shop
        .reserve(1, json!([{ "product_id": 1, "quantity": 3 }]))
        .await;
    assert_problem!(other, Code::IdempotencyKeyReused);
}

#[tokio::test]
async fn a_refusal_stays_a_refusal_when_goods_come_back() {
    let shop = shop().await;
    let items = json!([{ "product_id": 24, "quantity": 1 }]);
    assert_eq!(shop.reserve(1, items.clone()).await.status(), 200);
    assert_problem!(shop.reserve(2, items.clone()).await, Code::Conflict);
    assert_eq!(shop.settle(1, "release").await.status(), 200);
    assert_eq!(shop.available(24).await, 1);
    assert_problem!(shop.reserve(2, items).await, Code::Conflict);
    assert_eq!(shop.available(24).await, 1);
}

#[tokio::test]
async fn a_release_before_its_reservation_keeps_it_out() {
    let shop = shop().await;
    for _copy in 0..2 {
        assert_eq!(shop.settle(7, "release").await.status(), 200);
    }
    let late = shop
        .reserve(7, json!([{ "product_id": 1, "quantity": 1 }]))
        .await;
    let problem = assert_problem!(late, Code::Conflict);
    assert_eq!(problem.member("reason"), Some(&"called_off".into()));
    assert_problem!(shop.settle(7, "commit").await, Code::Conflict);
    assert_eq!(shop.available(1).await, 40);
}

#[tokio::test]
async fn what_is_committed_stays_sold() {
    let shop = shop().await;
    shop.reserve(1, json!([{ "product_id": 1, "quantity": 5 }]))
        .await;
    for _copy in 0..2 {
        assert_eq!(shop.settle(1, "commit").await.status(), 200);
    }
    assert_problem!(shop.settle(1, "release").await, Code::Conflict);
    assert_eq!(shop.available(1).await, 35);
}

#[tokio::test]
async fn nonsense_is_refused() {
    let shop = shop().await;
    let line = |product: i64, quantity: i64| json!({ "product_id": product, "quantity": quantity });
    for items in [
        json!([]),
        json!([line(1, 0)]),
        json!([line(1, -1)]),
        json!([line(0, 1)]),
        json!([line(1, 1), line(1, 1)]),
        json!([{ "product_id": 1, "quantity": 1, "unit_price": 1 }]),
        json!([{ "product_id": 1, "quantity": 1.5 }]),
    ] {
        assert_problem!(shop.reserve(1, items).await, Code::ValidationFailed);
    }
    assert_eq!(shop.available(1).await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_never_sell_the_last_one_twice() {
    let dir = TempDir::new();
    let path = dir.path().join("inventory.db");
    let tokens = Tokens::new();
    let mut buyers = Vec::new();
    for replica in 0..2 {
        let db = Db::open(&path, store::MIGRATIONS).await.unwrap();
        db.write(store::seed).await.unwrap();
        let app = http::App {
            db,
            clock: WallClock::system(),
        };
        let router = http::router(app, tokens.verifier("inventory")).unwrap();
        let order = Caller::new(router).with(tokens.order_service("inventory"));
        for number in 1..=10 {
            let order = order.clone();
            buyers.push(msf_core::task::spawn("buyer", async move {
                let items = json!([{ "product_id": 24, "quantity": 1 }]);
                let body = json!({ "order_id": replica * 10 + number, "items": items });
                order.post("/internal/reservations", body).await.status()
            }));
        }
    }
    let mut won = 0;
    for buyer in buyers {
        won += usize::from(buyer.join().await.unwrap() == 200);
    }
    assert_eq!(won, 1);
}
