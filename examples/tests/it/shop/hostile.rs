//! Callers that mean harm.

use std::time::{Duration, SystemTime};

use msf_auth::{SigningKey, TokenIssuer};
use msf_core::clock::WallClock;
use serde_json::{Value, json};

use super::{Shop, bearer, order};
use crate::process::send;

const SCOPES: [&str; 3] = ["users:self", "orders:read", "payments:read"];

/// Registers somebody new and returns the header that says so.
fn somebody(shop: &Shop, name: &str) -> String {
    let person = json!({
        "name": name,
        "email": format!("{name}@example.com"),
        "password": "correct-horse-1",
    });
    let answer = shop.post("/api/users/register", "", &person);
    assert_eq!(answer.status, 201, "{answer:?}");
    bearer(&answer)
}

fn keyed(token: &str, key: &str) -> String {
    format!("{token}idempotency-key: {key}\r\n")
}

fn id(answer: &crate::process::Answer) -> String {
    let id = answer.json()["id"].clone();
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

#[test]
fn what_belongs_to_another_is_not_found() {
    let shop = Shop::start(&[]);
    let (ada, mallory) = (shop.ada(), somebody(&shop, "mallory"));
    let placed = shop.post(
        "/api/orders",
        &keyed(&ada, "mine"),
        &order(2, 1, "tok_visa"),
    );
    assert_eq!(placed.status, 201, "{placed:?}");
    let path = format!("/api/orders/{}", id(&placed));
    assert_eq!(shop.get(&path, &ada).status, 200);
    assert_eq!(shop.get(&path, &mallory).status, 404);
    let cancel = send(
        shop.gateway(),
        "POST",
        &format!("{path}/cancel"),
        &mallory,
        "",
    );
    assert_eq!(cancel.unwrap().status, 404);

    let status = json!({ "status": "shipped" }).to_string();
    let set = |token: &str| {
        send(
            shop.gateway(),
            "PUT",
            &format!("{path}/status"),
            token,
            &status,
        )
    };
    for token in [&ada, &mallory] {
        let refused = set(token).unwrap();
        assert!([403, 404].contains(&refused.status), "{refused:?}");
    }
    assert_eq!(set(&shop.grace()).unwrap().status, 200);

    let payments = shop.get(&format!("/api/payments?order_id={}", id(&placed)), &mallory);
    assert!(!payments.body.contains("amount"), "{payments:?}");
    // Everybody's orders are nobody's: without a filter one gets one's own.
    let orders = shop.get("/api/orders", &mallory);
    assert_eq!(orders.status, 200);
    assert!(!orders.body.contains("total_amount"), "{orders:?}");
    assert_eq!(shop.get("/api/users", &ada).status, 403);
    // Ada is 1 or 2 of the two that are seeded; Mallory is neither.
    for user in ["/api/users/1", "/api/users/2"] {
        assert_eq!(shop.get(user, &mallory).status, 404);
        let delete = send(shop.gateway(), "DELETE", user, &mallory, "");
        assert_eq!(delete.unwrap().status, 404);
    }
}

/// A token for the first user, by whoever has this key.
fn token(issuer: &TokenIssuer) -> String {
    let token = issuer.token("1").audience("shop").scopes(SCOPES);
    token.ttl(Duration::from_secs(60)).sign().unwrap()
}

#[test]
fn forged_and_expired_tokens_are_refused() {
    let shop = Shop::start(&[]);
    let ada = shop.ada();
    let good = ada.trim().rsplit(' ').next().unwrap();
    let [head, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("{good}")
    };
    let key = |service: &str| {
        let keys = shop.data().join("keys").join(service);
        TokenIssuer::open(keys, "https://user.shop").unwrap()
    };
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let own_key = SigningKey::generate_ed25519().unwrap();
    let reversed: String = signature.chars().rev().collect();
    let algorithm_none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    let forged = [
        "x".to_owned(),
        "..".to_owned(),
        format!("{algorithm_none}.{claims}."),
        format!("{head}.{claims}."),
        format!("{head}.{claims}.{reversed}"),
        format!("{head}.{}.{signature}", claims.replacen('e', "f", 1)),
        token(&TokenIssuer::new("https://user.shop", own_key)),
        // The right name with the key of a service that issues none for users.
        token(&key("order")),
        // The right key, an hour too late.
        token(&key("user").with_clock(WallClock::pinned(hour_ago))),
        // The right key for somebody else.
        key("user").token("1").audience("bank").sign().unwrap(),
    ];
    let status = |token: &str, path: &str| {
        let answer = shop.get(path, &format!("authorization: Bearer {token}\r\n"));
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(
            answer.status == 200 || challenge.starts_with("bearer"),
            "{answer:?}"
        );
        answer.status
    };
    for path in ["/api/orders", "/api/users/1", "/api/payments"] {
        for token in &forged {
            assert_eq!(status(token, path), 401, "{path} {token}");
        }
        // So that it is the difference that is refused.
        assert_eq!(status(&token(&key("user")), path), 200, "{path}");
    }
    // Another scheme, or a scheme alone, is no token either, and no panic (400: RFC 6750 section 3.1).
    for value in ["", "B", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b"] {
        let answer = shop.get("/api/orders", &format!("authorization: {value}\r\n"));
        assert!([400, 401].contains(&answer.status), "{value:?}: {answer:?}");
    }
    assert_eq!(shop.get("/api/orders", "").status, 401);
}

#[test]
fn price_and_customer_are_not_the_clients_to_say() {
    let shop = Shop::start(&[]);
    let ada = shop.ada();
    let with = |pointer: &str, key: &str, value: Value| {
        let mut body = order(2, 1, "tok_visa");
        body.pointer_mut(pointer).unwrap()[key] = value;
        body
    };
    for (body, what) in [
        (with("", "customer_id", json!(2)), "customer_id"),
        (with("", "total_amount", json!(1)), "total_amount"),
        (with("/items/0", "unit_price", json!(1)), "unit_price"),
        (with("/items/0", "price", json!(0.01)), "price"),
        (with("/payment", "amount", json!(1)), "amount"),
    ] {
        let refused = shop.post("/api/orders", &keyed(&ada, what), &body);
        assert!([400, 422].contains(&refused.status), "{what}: {refused:?}");
        assert!(refused.body.contains(what), "{what}: {refused:?}");
    }
    for quantity in [json!(0), json!(-1), json!(1.5), json!(4_294_967_296_i64)] {
        let body = with("/items/0", "quantity", quantity);
        let refused = shop.post("/api/orders", &keyed(&ada, "quantity"), &body);
        assert!([400, 422].contains(&refused.status), "{refused:?}");
    }
    let unkeyed = shop.post("/api/orders", &ada, &order(2, 1, "tok_visa"));
    assert_eq!(unkeyed.status, 400, "{unkeyed:?}");
    let orders = shop.get("/api/orders", &ada);
    assert!(!orders.body.contains("total_amount"), "{orders:?}");
}

#[test]
fn a_public_path_opens_no_other() {
    let shop = Shop::start(&[]);
    for path in [
        "/api/users/login/../42",
        "/api/users/login/../1",
        "/api/users/login/..%2f1",
        "/api/users/login%2f..%2f1",
        "/api/users/login/%2e%2e/1",
        "/api/users/login/./../1",
        "/api/users/login;/../1",
        "/api//users/1",
        "/api/users/1",
        "/api/users/login/1",
        "/api/inventory/../users/1",
        "/api/inventory/%2e%2e/orders",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let answer = send(shop.gateway(), method, path, "", "").unwrap();
            assert!(
                [400, 401, 404, 405].contains(&answer.status),
                "{method} {path}: {answer:?}"
            );
        }
    }
}

#[test]
fn nobody_outside_reaches_what_is_internal() {
    let shop = Shop::start(&[]);
    let tokens = [String::new(), shop.ada(), shop.grace()];
    let reservation = json!({ "order_id": 1, "items": [{ "product_id": 2, "quantity": 1 }] });
    for token in &tokens {
        for path in [
            "/internal/reservations",
            "/internal/charges",
            "/api/inventory/internal/reservations",
            "/api/inventory/../internal/reservations",
            "/api/inventory/..%2finternal%2freservations",
            "/api/payments/internal/charges",
            "/api/payments/../../internal/charges",
        ] {
            let answer = shop.post(path, token, &reservation);
            assert!(
                [400, 401, 403, 404, 405].contains(&answer.status),
                "{path}: {answer:?}"
            );
        }
        // Past the gateway, on loopback, the service itself asks who is calling.
        for (instance, path) in [
            ("inventory-1", "/internal/reservations"),
            ("payment-1", "/internal/charges"),
        ] {
            let answer = send(
                shop.address(instance),
                "POST",
                path,
                token,
                &reservation.to_string(),
            );
            let answer = answer.unwrap();
            assert!([401, 403].contains(&answer.status), "{path}: {answer:?}");
        }
    }
}

#[test]
fn metrics_are_not_for_the_world() {
    let shop = Shop::start(&[]);
    for path in [
        "/metrics",
        "/metricsX",
        "/api/users/../metrics",
        "//metrics",
    ] {
        let answer = shop.get(path, "");
        assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.body.contains("# TYPE"), "{path}: {answer:?}");
    }
}

#[test]
fn identity_headers_from_outside_mean_nothing() {
    let shop = Shop::start(&[]);
    let ada = shop.ada();
    let placed = shop.post(
        "/api/orders",
        &keyed(&ada, "identity"),
        &order(2, 1, "tok_visa"),
    );
    let path = format!("/api/orders/{}", id(&placed));
    let mallory = somebody(&shop, "mallory");
    for header in [
        "x-user-id: 1",
        "x-msf-subject: 1",
        "x-msf-principal: 1",
        "x-msf-scopes: orders:admin",
        "x-forwarded-user: 1",
        "x-auth-request-user: 1",
        "remote-user: 1",
    ] {
        let header = format!("{header}\r\n");
        assert_eq!(shop.get(&path, &header).status, 401, "{header}");
        assert_eq!(
            shop.get(&path, &format!("{mallory}{header}")).status,
            404,
            "{header}"
        );
    }
}

#[test]
fn three_hundred_logins_a_minute_are_too_many() {
    let shop = Shop::start(&[]);
    let login = json!({ "email": "ada@example.com", "password": "a guess" });
    let answers: Vec<_> = (0..300)
        .map(|_| shop.post("/api/users/login", "", &login))
        .collect();
    let limited: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 429)
        .collect();
    assert!(
        answers
            .iter()
            .all(|answer| [401, 429].contains(&answer.status)),
        "{answers:?}"
    );
    assert!(limited.len() >= 200, "{} of 300", limited.len());
    for answer in limited {
        let seconds = answer
            .header("retry-after")
            .and_then(|value| value.parse().ok());
        assert!(
            seconds.is_some_and(|seconds: u32| (1..=60).contains(&seconds)),
            "{answer:?}"
        );
        assert_eq!(answer.json()["code"], "rate_limited");
    }
}
