//! A token for another.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_exchanged_token_is_less_in_every_way() {
    let server = Server::start();
    let token = server.user_token("order", &["orders:read", "payments:write", "admin"]);
    time::advance(Duration::from_secs(1)).await;
    let response = server.exchange(&token, &[]).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    let body: Value = response.json();
    assert_eq!(body["issued_token_type"], ACCESS);
    assert_eq!(body["expires_in"], 60);
    assert_eq!(body["scope"], "orders:read payments:write");
    let exchanged = text(&body["access_token"]);
    let told = claims(exchanged);
    assert_eq!(told["act"], json!({ "sub": "order" }));
    assert_eq!(
        (&told["sub"], &told["aud"], &told["sid"]),
        (&json!("7"), &json!("payment"), &json!("s1"))
    );
    assert!(told.get("role").is_none());
    let caller = server.verifier.verify(exchanged).await.unwrap();
    assert!(!caller.is_service());

    // On from there, by the service that it was sent to.
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", exchanged),
        ("subject_token_type", ACCESS),
        ("audience", "ledger"),
        ("scope", "payments:write"),
    ];
    let body: Value = server.token("payment", &server.payment, &form).await.json();
    let next = claims(text(&body["access_token"]));
    assert_eq!(
        next["act"],
        json!({ "sub": "payment", "act": { "sub": "order" } })
    );

    // Never longer than what it came from.
    time::advance(Duration::from_secs(870)).await;
    let body: Value = server.exchange(&token, &[]).await.json();
    assert_eq!(body["expires_in"], 29);
    assert_eq!(server.seen.count(Kind::TokenExchanged), 3);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_not_sent_to_the_client_is_not_exchanged() {
    let server = Server::start();
    let good = server.user_token("order", &["orders:read"]);
    let elsewhere = server.user_token("payment", &["orders:read"]);
    let forged = format!("{}x", &good[..good.len() - 1]);
    for token in [elsewhere.as_str(), &forged, "x", "a.b.c"] {
        refused(&server.exchange(token, &[]).await, 400, "invalid_request");
    }
    refused(
        &server.exchange(&good, &[("scope", "payments:write")]).await,
        400,
        "invalid_scope",
    );
    refused(
        &server.exchange(&good, &[("scope", "admin")]).await,
        400,
        "invalid_scope",
    );
    refused(
        &server.exchange(&good, &[("audience", "ledger")]).await,
        400,
        "invalid_target",
    );
    refused(
        &server.exchange(&good, &[("actor_token", "x")]).await,
        400,
        "invalid_request",
    );
    let id_token = "urn:ietf:params:oauth:token-type:id_token";
    let form = [("requested_token_type", id_token)];
    refused(&server.exchange(&good, &form).await, 400, "invalid_request");

    // A loop of services ends.
    let act =
        json!({ "sub": "a", "act": { "sub": "b", "act": { "sub": "c", "act": { "sub": "d" } } } });
    let token = server.issuer.token("7").audience("order").claim("act", act);
    refused(
        &server.exchange(&token.sign().unwrap(), &[]).await,
        400,
        "invalid_request",
    );
    // It has ended, within the leeway of the verifier.
    time::advance(Duration::from_secs(900)).await;
    refused(&server.exchange(&good, &[]).await, 400, "invalid_request");
}

#[tokio::test(start_paused = true)]
async fn a_resource_is_not_passed_over() {
    let server = Server::start();
    let resource = ("resource", "https://ledger.shop");
    let token = server.user_token("order", &["orders:read"]);
    refused(
        &server.exchange(&token, &[resource]).await,
        400,
        "invalid_target",
    );
    let form = [CREDENTIALS[0], resource];
    let response = server.token("order", &server.order, &form).await;
    refused(&response, 400, "invalid_target");
    let session = server.login("web", &["orders:read"]).await;
    let form = refresh_form(&session, &[resource]);
    let response = server.token("web", &server.web, &form).await;
    refused(&response, 400, "invalid_target");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_bound_to_a_key_is_not_exchanged_for_one_that_is_not() {
    let server = Server::start();
    for (proof, taken) in [("cnf", false), ("cng", true)] {
        let token = server.issuer.token("7").audience("order");
        let token = token.claim(proof, json!({ "jkt": "x" })).sign().unwrap();
        let response = server.exchange(&token, &[]).await;
        assert_eq!(response.status() == 200, taken, "{}", response.text());
    }
}
