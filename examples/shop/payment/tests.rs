//! The payment service on its own: charges and refunds, each once.

use msf_core::{assert_problem, clock::WallClock, problem::Code, testing::TestResponse};
use serde_json::{Value, json};

use super::{http, store};
use crate::{
    db::{Db, DbError},
    identity::Role,
    testing::{Caller, TempDir, Tokens},
};

struct Shop {
    dir: TempDir,
    db: Db,
    tokens: Tokens,
    anybody: Caller,
    order: Caller,
}

async fn shop() -> Shop {
    let dir = TempDir::new();
    let db = Db::open(dir.path().join("payments.db"), store::MIGRATIONS);
    let db = db.await.unwrap();
    let tokens = Tokens::new();
    let app = http::App {
        db: db.clone(),
        clock: WallClock::system(),
    };
    let anybody = Caller::new(http::router(app, tokens.verifier("payment")).unwrap());
    Shop {
        dir,
        db,
        order: anybody.with(tokens.order_service("payment")),
        tokens,
        anybody,
    }
}

fn charge_of(order: i64, amount: i64, card: &str) -> Value {
    json!({
        "order_id": order, "customer_id": 7, "amount": amount,
        "payment_method": "card", "card_token": card,
    })
}

impl Shop {
    async fn charge(&self, order: i64, amount: i64, card: &str) -> TestResponse {
        let caller = self.order.key(order.to_string());
        caller
            .post("/internal/charges", charge_of(order, amount, card))
            .await
    }

    async fn refund(&self, order: i64) -> String {
        let path = format!("/internal/charges/{order}/refund");
        let answer: Value = self.order.post(&path, Value::Null).await.json();
        answer["status"].as_str().unwrap().to_owned()
    }

    /// Kinds and amounts of everything that moved.
    async fn ledger(&self) -> Vec<(String, i64)> {
        self.db
            .read::<_, DbError>(|tx| {
                let mut select = tx.prepare("SELECT kind, amount FROM ledger ORDER BY rowid")?;
                let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn an_order_is_charged_once_however_often_it_is_asked() {
    let shop = shop().await;
    let first = shop.charge(1, 1_000, "tok_visa").await;
    assert_eq!(first.status(), 201);
    let again = shop.charge(1, 1_000, "tok_visa").await;
    assert_eq!(again.status(), 200);
    assert_eq!(first.text(), again.text());
    assert_eq!(shop.ledger().await, [("charge".to_owned(), 1_000)]);
}

#[tokio::test]
async fn another_charge_under_the_same_key_is_refused() {
    let shop = shop().await;
    shop.charge(1, 1_000, "tok_visa").await;
    for (amount, card) in [(999, "tok_visa"), (1_000, "tok_slow")] {
        let other = shop.charge(1, amount, card).await;
        assert_problem!(other, Code::IdempotencyKeyReused);
    }
    let charge = charge_of(2, 1_000, "tok_visa");
    let without = shop.order.post("/internal/charges", charge.clone()).await;
    assert_problem!(without, Code::IdempotencyKeyRequired);
    let wrong = shop.order.key("1").post("/internal/charges", charge).await;
    assert_problem!(wrong, Code::BadRequest);
    assert_eq!(shop.ledger().await.len(), 1);
}

#[tokio::test]
async fn a_declined_card_stays_declined_and_moves_nothing() {
    let shop = shop().await;
    for _copy in 0..2 {
        let answer: Value = shop.charge(1, 1_000, "tok_declined").await.json();
        assert_eq!(answer["status"], "declined");
    }
    assert_eq!(shop.refund(1).await, "declined");
    assert!(shop.ledger().await.is_empty());
}

#[tokio::test]
async fn a_refund_gives_back_once_and_is_final() {
    let shop = shop().await;
    shop.charge(1, 1_000, "tok_visa").await;
    for _copy in 0..2 {
        assert_eq!(shop.refund(1).await, "refunded");
    }
    assert_problem!(shop.charge(1, 1_000, "tok_visa").await, Code::Conflict);
    let moved = shop.ledger().await;
    assert_eq!(moved.len(), 2);
    assert_eq!(moved.iter().map(|(_, amount)| amount).sum::<i64>(), 2_000);
}

#[tokio::test]
async fn a_refund_before_its_charge_keeps_it_out() {
    let shop = shop().await;
    assert_eq!(shop.refund(1).await, "void");
    assert_problem!(shop.charge(1, 1_000, "tok_visa").await, Code::Conflict);
    assert_eq!(shop.refund(1).await, "void");
    assert!(shop.ledger().await.is_empty());
}

#[tokio::test]
async fn a_refund_that_overtakes_a_slow_card_wins() {
    let shop = shop().await;
    let caller = shop.order.key("1");
    let slow = msf_core::task::spawn("slow", async move {
        caller
            .post("/internal/charges", charge_of(1, 1_000, "tok_slow"))
            .await
    });
    // Whichever of the two comes first, no money is left with the shop.
    tokio::task::yield_now().await;
    assert_eq!(shop.refund(1).await, "void");
    assert_problem!(slow.join().await.unwrap(), Code::Conflict);
    assert!(shop.ledger().await.is_empty());
}

#[tokio::test]
async fn the_card_token_is_never_stored() {
    let shop = shop().await;
    for (order, card) in [(1, "tok_visa"), (2, "tok_declined")] {
        shop.charge(order, 1_000, card).await;
    }
    let staff = shop.anybody.with(shop.tokens.user(1, Role::Staff));
    let shown = staff.get("/api/payments").await;
    assert!(shown.text().contains("4242") && !shown.text().contains("tok_"));
    for file in std::fs::read_dir(shop.dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(4).any(|window| window == b"tok_"));
    }
}

#[tokio::test]
async fn payments_are_their_customers_and_the_staffs() {
    let shop = shop().await;
    let charged: Value = shop.charge(1, 1_000, "tok_visa").await.json();
    let path = format!("/api/payments/{}", charged["payment_id"].as_str().unwrap());
    let owner = shop.anybody.with(shop.tokens.user(7, Role::Customer));
    let other = shop.anybody.with(shop.tokens.user(8, Role::Customer));
    let staff = shop.anybody.with(shop.tokens.user(1, Role::Staff));
    for caller in [&owner, &staff] {
        let shown: Value = caller.get(&path).await.json();
        assert_eq!(
            (&shown["amount"], &shown["status"]),
            (&json!(1_000), &json!("charged"))
        );
        let listed: Vec<Value> = caller.get("/api/payments?order_id=1").await.json();
        assert_eq!(listed.len(), 1);
    }
    assert_problem!(other.get(&path).await, Code::NotFound);
    assert_eq!(other.get("/api/payments?order_id=1").await.text(), "[]");
    assert_problem!(shop.anybody.get(&path).await, Code::Unauthenticated);
    // A customer is no service, whatever its scopes.
    let charge = charge_of(9, 1, "tok_visa");
    let forged = staff.key("9").post("/internal/charges", charge).await;
    assert_problem!(forged, Code::Forbidden);
}
