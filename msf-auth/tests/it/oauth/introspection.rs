//! What is told about a token.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_token_is_told_about_to_those_it_was_meant_for() {
    let server = Server::start();
    let token = server.user_token("order", &["orders:read"]);
    let ask = async |client: &str, secret: &ClientSecret, token: &str| -> Value {
        let response = server
            .post("/oauth/introspect", client, secret, &[("token", token)])
            .await;
        assert_eq!(response.status(), 200);
        response.json()
    };
    let told = ask("order", &server.order, &token).await;
    assert_eq!(
        (&told["active"], &told["sub"], &told["aud"]),
        (&json!(true), &json!("7"), &json!("order"))
    );
    assert_eq!(told["exp"], NOW_S + 900);
    assert!(told.get("role").is_none());
    let nothing = json!({ "active": false });
    assert_eq!(ask("payment", &server.payment, &token).await, nothing);
    assert_eq!(ask("order", &server.order, "a.b.c").await, nothing);
    assert_eq!(ask("order", &server.order, "x").await, nothing);

    let session = server.login("web", &["orders:read"]).await;
    let told = ask("web", &server.web, &session).await;
    assert_eq!(
        (&told["active"], &told["sid"]),
        (&json!(true), &json!("s1"))
    );
    assert_eq!(ask("order", &server.order, &session).await, nothing);

    let form = [("token", token.as_str()), ("client_id", "app")];
    refused(
        &server.bare("/oauth/introspect", &form).await,
        400,
        "unauthorized_client",
    );
    let form = [("token", token.as_str())];
    refused(
        &server.bare("/oauth/introspect", &form).await,
        401,
        "invalid_client",
    );

    time::advance(Duration::from_secs(931)).await;
    assert_eq!(ask("order", &server.order, &token).await, nothing);
}

#[tokio::test(start_paused = true)]
async fn a_service_is_told_to_be_one_and_a_stranger_is_nobody() {
    let server = Server::start();
    let ask = async |token: &str| -> Value {
        let form = [("token", token)];
        let response = server
            .post("/oauth/introspect", "order", &server.order, &form)
            .await;
        response.json()
    };
    // In the name of a service, by another one: neither its client nor a user.
    let token = server.issuer.token("order").audience("order");
    let token = token.service(true).client("payment").sign().unwrap();
    let told = ask(&token).await;
    assert_eq!(told["active"], true);
    assert_eq!(told["msf_kind"], "service");

    let token = server.issuer.token("7").audience("order");
    let told = ask(&token.claim("acr", "2").sign().unwrap()).await;
    assert_eq!(told["acr"], "2");

    let token = server.foreign.token("7").audience("order").client("order");
    let token = token.sign().unwrap();
    assert!(server.verifier.verify(&token).await.is_ok());
    assert_eq!(ask(&token).await, json!({ "active": false }));
    refused(&server.exchange(&token, &[]).await, 400, "invalid_request");
}

#[tokio::test(start_paused = true)]
async fn what_a_token_is_bound_to_is_told() {
    let server = Server::start();
    for (key, token_type) in [("jkt", "DPoP"), ("x5t#S256", "Bearer")] {
        let token = server.issuer.token("7").audience("order");
        let token = token.claim("cnf", json!({ key: "x" })).sign().unwrap();
        let form = [("token", token.as_str())];
        let path = "/oauth/introspect";
        let response = server.post(path, "order", &server.order, &form).await;
        let told: Value = response.json();
        assert_eq!(told["active"], true);
        assert_eq!(told["token_type"], token_type);
        assert_eq!(told["cnf"], json!({ key: "x" }));
    }
}
