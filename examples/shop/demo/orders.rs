//! The story itself.

use std::time::Duration;

use msf_core::{clock, task};
use serde_json::{Value, json};
use tokio::time::{self, Instant};

use super::{
    http::{Call, Http},
    story::{NotAsTold, Story, Told, number, text},
};
use crate::{ready::Ready, supervisor::Supervisor};

/// A customer who is signed in.
struct Customer {
    token: String,
}

pub(super) async fn tell(story: &mut Story, shop: &Supervisor) -> Told {
    story.chapter("A customer comes in");
    let customer = sign_in(story).await?;
    let product = browse(story).await?;
    order_and_pay(story, &customer, product).await?;

    story.chapter("A card is declined");
    declined(story, &customer, product).await?;

    story.chapter("kill -9 payment-1, in the middle of orders");
    killed_in_the_middle(story, shop, &customer, product).await?;

    story.chapter("Both payment processes are dead");
    no_payment_at_all(story, shop, &customer, product).await
}

async fn sign_in(story: &mut Story) -> Told<Customer> {
    // A new one each time, since a directory that is kept may have seen this story before.
    let email = format!("mary-{:08x}@example.com", fastrand::u32(..));
    let person = json!({ "name": "Mary", "email": email, "password": "somerville-1831" });
    let call = story.http.post("/api/users/register", &person);
    story.call("registers", &[201], call).await?;

    let login = json!({ "email": email, "password": "somerville-1831" });
    let call = story.http.post("/api/users/login", &login);
    let answer = story.call("signs in", &[200], call).await?;
    let token = text(&answer.body, "/token").to_owned();

    let wrong = json!({ "email": email, "password": "not her password" });
    let call = story.http.post("/api/users/login", &wrong);
    story
        .call("is refused with a wrong password", &[401], call)
        .await?;
    Ok(Customer { token })
}

async fn browse(story: &mut Story) -> Told<i64> {
    let call = story.http.get("/api/inventory/products");
    let answer = story.call("looks at the products", &[200], call).await?;
    let products = answer
        .body
        .as_array()
        .or_else(|| answer.body.pointer("/items")?.as_array());
    let wanted = products
        .into_iter()
        .flatten()
        .find(|product| number(product, "/available").is_some_and(|pieces| pieces >= 100))
        .and_then(|product| number(product, "/id"));
    let found = format!("product {}", wanted.unwrap_or_default());
    story.check(
        "finds one with 100 pieces or more",
        wanted.is_some(),
        &found,
    )?;
    wanted.ok_or(NotAsTold)
}

async fn order_and_pay(story: &mut Story, customer: &Customer, product: i64) -> Told {
    let before = stock(story, product).await?;
    let key = key();
    let call = order(story.http, customer, product, "tok_visa", &key);
    let answer = story
        .call("orders 2 pieces and pays by card", &[201], call)
        .await?;
    let order_id = answer.body["id"].clone();
    let total = number(&answer.body, "/total_amount");
    expect_status(story, &answer.body, "confirmed")?;

    let call = order(story.http, customer, product, "tok_visa", &key);
    let again = story
        .call("sends the same order again", &[200, 201], call)
        .await?;
    let same = again.body["id"] == order_id;
    story.check("it is still one order", same, &format!("order {order_id}"))?;

    let path = format!("/api/payments?order_id={}", plain(&order_id));
    let call = story.http.get(&path).token(&customer.token);
    let payments = story.call("asks for the payment", &[200], call).await?.body;
    let payments = payments
        .as_array()
        .or_else(|| payments.pointer("/items")?.as_array());
    let charged: Vec<_> = payments
        .into_iter()
        .flatten()
        .map(|p| number(p, "/amount"))
        .collect();
    let once = charged == [total];
    let cents = |amount: &Option<i64>| amount.map_or_else(|| "?".to_owned(), |a| a.to_string());
    let seen: Vec<_> = charged.iter().map(cents).collect();
    let seen = format!("{} cents of {}", seen.join(" and "), cents(&total));
    story.check("the card was charged once, for the total", once, &seen)?;

    let after = stock(story, product).await?;
    story.check(
        "2 pieces have left the stock",
        after == before - 2,
        &format!("{before} -> {after}"),
    )
}

async fn declined(story: &mut Story, customer: &Customer, product: i64) -> Told {
    let before = stock(story, product).await?;
    let call = order(story.http, customer, product, "tok_declined", &key());
    let answer = story
        .call("orders with a card that declines", &[201, 402], call)
        .await?;
    if answer.status == 201 {
        expect_status(story, &answer.body, "payment_failed")?;
    }
    let after = stock(story, product).await?;
    story.check(
        "every piece is back in stock",
        after == before,
        &format!("{before} -> {after}"),
    )
}

async fn killed_in_the_middle(
    story: &mut Story,
    shop: &Supervisor,
    customer: &Customer,
    product: i64,
) -> Told {
    let victim = pid(shop, "payment-1");
    let began = clock::now();
    let orders: Vec<_> = (0..ORDERS)
        .map(|_| {
            let call = order(story.http, customer, product, "tok_visa", &key());
            task::spawn(
                "demo order",
                settle(story.http, customer.token.clone(), call),
            )
        })
        .collect();
    shop.kill("payment-1").await;
    let mut confirmed = 0;
    let mut others = Vec::new();
    for order in orders {
        match order.join().await {
            Some(Ok(status)) if status == "confirmed" => confirmed += 1,
            other => others.push(format!("{other:?}")),
        }
    }
    let seen = format!("{confirmed} of {ORDERS} {}", others.join(", "));
    story.took(
        "every order is confirmed all the same",
        others.is_empty(),
        began,
        &seen,
    )?;

    let back = time::timeout(BACK_MAX, shop.back("payment-1", victim)).await;
    let seen = match &back {
        Ok(Some(ready)) => format!("pid {victim} -> {}", ready.pid),
        _ => "it is not".to_owned(),
    };
    story.took(
        "payment-1 is back",
        matches!(back, Ok(Some(_))),
        began,
        &seen,
    )
}

async fn no_payment_at_all(
    story: &mut Story,
    shop: &Supervisor,
    customer: &Customer,
    product: i64,
) -> Told {
    for instance in PAYMENTS {
        shop.hold(instance).await;
    }
    let call = order(story.http, customer, product, "tok_visa", &key());
    let answer = story
        .call(
            "orders; the shop will not say what it does not know",
            &[202],
            call,
        )
        .await?;
    let status = text(&answer.body, "/status").to_owned();
    story.check("its status is not final", is_open(&status), &status)?;
    let path = format!("/api/orders/{}", plain(&answer.body["id"]));

    let began = clock::now();
    for instance in PAYMENTS {
        shop.resume(instance).await;
    }
    let status = until_settled(story.http, &customer.token, &path)
        .await
        .unwrap_or_default();
    story.took(
        "payment comes back, and the order is confirmed",
        status == "confirmed",
        began,
        &status,
    )?;
    let call = story.http.get(&path).token(&customer.token);
    story.call("asks for the order", &[200], call).await?;
    Ok(())
}

/// An order of two pieces.
fn order(http: Http, customer: &Customer, product: i64, card: &str, key: &str) -> Call {
    let body = json!({
        "items": [{ "product_id": product, "quantity": 2 }],
        "payment": { "payment_method": "card", "card_token": card },
    });
    http.post("/api/orders", &body)
        .token(&customer.token)
        .key(key)
}

/// Sends an order as a patient program would: again with the same key while the answer is an error that may
/// pass, and then until its status is final.
async fn settle(http: Http, token: String, call: Call) -> Result<String, String> {
    let deadline = clock::now() + SETTLED_MAX;
    loop {
        let answer = call.clone().send().await;
        match answer {
            Ok(answer) if answer.status == 201 => {
                return Ok(text(&answer.body, "/status").to_owned());
            }
            Ok(answer) if answer.status == 202 => {
                let path = format!("/api/orders/{}", plain(&answer.body["id"]));
                return until_settled(http, &token, &path).await;
            }
            Ok(answer) if answer.status.is_server_error() => {}
            Ok(answer) => return Err(format!("{} {}", answer.status, answer.body)),
            Err(_connection) => {}
        }
        pause(deadline).await?;
    }
}

/// Reads an order until its status is final.
async fn until_settled(http: Http, token: &str, path: &str) -> Result<String, String> {
    let deadline = clock::now() + SETTLED_MAX;
    loop {
        if let Ok(answer) = http.get(path).token(token).send().await {
            let status = text(&answer.body, "/status");
            if !is_open(status) {
                return Ok(status.to_owned());
            }
        }
        pause(deadline).await?;
    }
}

async fn pause(deadline: Instant) -> Result<(), String> {
    if clock::now() >= deadline {
        return Err(format!("not settled in {SETTLED_MAX:?}"));
    }
    time::sleep(Duration::from_millis(100)).await;
    Ok(())
}

/// How many pieces can be ordered.
async fn stock(story: &mut Story, product: i64) -> Told<i64> {
    let path = format!("/api/inventory/products/{product}");
    let answer = story.http.get(&path).send().await;
    let pieces = answer
        .ok()
        .and_then(|answer| number(&answer.body, "/available"));
    match pieces {
        Some(pieces) => Ok(pieces),
        None => {
            story.check("the stock can be read", false, &path)?;
            Err(NotAsTold)
        }
    }
}

/// Whether the shop is still at work on an order.
fn is_open(status: &str) -> bool {
    matches!(status, "" | "pending" | "cancelling")
}

fn expect_status(story: &mut Story, order: &Value, status: &str) -> Told {
    let seen = text(order, "/status").to_owned();
    story.check(&format!("its status is {status}"), seen == status, &seen)
}

/// An id in a path: the text itself, without quotes.
fn plain(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

fn key() -> String {
    format!("demo-{:016x}", fastrand::u64(..))
}

fn pid(shop: &Supervisor, instance: &str) -> u32 {
    let of_instance = |ready: &Ready| ready.instance == instance;
    shop.ready()
        .into_iter()
        .find(of_instance)
        .map_or(0, |ready| ready.pid)
}

const PAYMENTS: [&str; 2] = ["payment-1", "payment-2"];
const ORDERS: u32 = 12;
const BACK_MAX: Duration = Duration::from_secs(10);
const SETTLED_MAX: Duration = Duration::from_secs(15);
