//! Who asks, and what is theirs.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_service_gets_a_token_in_its_own_name() {
    let server = Server::start();
    let response = server.token("order", &server.order, &CREDENTIALS).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("pragma"), Some("no-cache"));
    let body: Value = response.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 300);
    assert_eq!(body["scope"], "payments:write orders:read");
    assert!(body.get("refresh_token").is_none());

    let token = text(&body["access_token"]);
    let caller = server.verifier.verify(token).await.unwrap();
    assert_eq!((caller.subject(), caller.is_service()), ("order", true));
    assert_eq!(claims(token)["client_id"], "order");
    assert_eq!(claims(token)["aud"], "payment");

    let less = [
        CREDENTIALS[0],
        ("scope", "orders:read orders:read"),
        ("audience", "payment"),
    ];
    let response = server.token("order", &server.order, &less).await;
    assert_eq!(response.json::<Value>()["scope"], "orders:read");

    assert_eq!(server.seen.count(Kind::ClientAuthenticated), 2);
    assert_eq!(server.seen.count(Kind::TokenIssued), 2);
    let metrics = server.metrics.render();
    let line = r#"msf_auth_oauth_requests_total{endpoint="token",result="ok"} 2"#;
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_more_than_is_theirs() {
    let server = Server::start();
    for (form, code) in [
        (
            vec![CREDENTIALS[0], ("scope", "orders:read admin")],
            "invalid_scope",
        ),
        (
            vec![CREDENTIALS[0], ("scope", "orders:read  x")],
            "invalid_scope",
        ),
        (vec![CREDENTIALS[0], ("scope", "a\"b")], "invalid_scope"),
        (
            vec![CREDENTIALS[0], ("audience", "ledger")],
            "invalid_target",
        ),
        (
            vec![CREDENTIALS[0], ("audience", "Payment")],
            "invalid_target",
        ),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("grant_type", "refresh_token")], "unauthorized_client"),
        (vec![("grant_type", "")], "invalid_request"),
        (vec![], "invalid_request"),
    ] {
        let response = server.token("order", &server.order, &form).await;
        refused(&response, 400, code);
    }
    // Two audiences, and none of them meant.
    let response = server.token("payment", &server.payment, &CREDENTIALS).await;
    refused(&response, 400, "unauthorized_client");
    let response = server.token("web", &server.web, &CREDENTIALS).await;
    refused(&response, 400, "unauthorized_client");
}

#[tokio::test(start_paused = true)]
async fn a_client_has_to_prove_itself_in_one_way() {
    let server = Server::start();
    let secret = server.order.text().expose().as_str();
    let good = [
        CREDENTIALS[0],
        ("client_id", "order"),
        ("client_secret", secret),
    ];
    assert_eq!(server.bare("/oauth/token", &good).await.status(), 200);

    let other = server.payment.text().expose().as_str();
    let hash = server.order.hash().to_string();
    for (id, secret) in [
        ("order", other),
        ("order", "x"),
        ("order", ""),
        ("order", &*hash),
        ("Order", secret),
        ("nobody", secret),
        ("", secret),
        ("order\u{0}", secret),
        ("app", secret),
        ("app", ""),
    ] {
        let form = [CREDENTIALS[0], ("client_id", id), ("client_secret", secret)];
        let response = server.bare("/oauth/token", &form).await;
        // A public client is who it says, and may not do this.
        let (status, code) = match (id, secret) {
            ("app", "") => (400, "unauthorized_client"),
            ("order\u{0}", _) => (400, "invalid_request"),
            _ => (401, "invalid_client"),
        };
        refused(&response, status, code);
        if code == "invalid_client" {
            assert!(
                response
                    .header("www-authenticate")
                    .unwrap()
                    .starts_with("Basic ")
            );
        }
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", &*basic(id, secret)),
        ];
        let response = server
            .send("/oauth/token", &headers, encode(&CREDENTIALS))
            .await;
        refused(&response, 401, "invalid_client");
    }

    let form = ("content-type", "application/x-www-form-urlencoded");
    let basic = basic("order", secret);
    let basic = ("authorization", basic.as_str());
    for (headers, body, status, code) in [
        (
            vec![form, basic, basic],
            CREDENTIALS.to_vec(),
            400,
            "invalid_request",
        ),
        (vec![form, basic], good.to_vec(), 400, "invalid_request"),
        (
            vec![form, basic],
            vec![CREDENTIALS[0], ("client_id", "payment")],
            400,
            "invalid_request",
        ),
        (
            vec![form, ("authorization", "Bearer x")],
            good.to_vec(),
            400,
            "invalid_request",
        ),
        (
            vec![form, ("authorization", "Bearer x")],
            CREDENTIALS.to_vec(),
            401,
            "invalid_client",
        ),
        (
            vec![form, ("authorization", "Basic")],
            CREDENTIALS.to_vec(),
            401,
            "invalid_client",
        ),
        (
            vec![form, ("authorization", "Basic !")],
            CREDENTIALS.to_vec(),
            401,
            "invalid_client",
        ),
        (
            vec![form, ("authorization", "Basic b3JkZXI=")],
            CREDENTIALS.to_vec(),
            401,
            "invalid_client",
        ),
        (vec![form], CREDENTIALS.to_vec(), 401, "invalid_client"),
        (
            vec![form],
            vec![CREDENTIALS[0], ("client_assertion", "x")],
            400,
            "invalid_request",
        ),
    ] {
        let response = server.send("/oauth/token", &headers, encode(&body)).await;
        refused(&response, status, code);
    }
    assert!(server.seen.count(Kind::ClientRefused) > 10);

    server.clients.remove("order");
    refused(
        &server.bare("/oauth/token", &good).await,
        401,
        "invalid_client",
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_of_clients_that_is_away_is_no_wrong_secret() {
    struct Away(bool);

    #[async_trait]
    impl Clients for Away {
        async fn find(&self, _: &str) -> Result<Option<Arc<Client>>, LookupError> {
            if self.0 {
                std::future::pending::<()>().await;
            }
            Err(LookupError::new("away"))
        }
    }

    for hangs in [false, true] {
        let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
        let oauth = OAuth::builder(issuer).clients(Away(hangs)).build().unwrap();
        let form = [
            CREDENTIALS[0],
            ("client_id", "order"),
            ("client_secret", "x"),
        ];
        let request = Request::post("/oauth/token")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(Body::from(encode(&form))).unwrap();
        let response = TestClient::new(oauth.router()).send(request).await;
        refused(&response, 503, "temporarily_unavailable");
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_told() {
    let server = Server::start();
    let secret = server.order.text().expose().as_str();
    let token = server.login("web", &["orders:read"]).await;
    let mut told = String::new();
    for form in [
        vec![
            CREDENTIALS[0],
            ("client_id", "web"),
            ("client_secret", secret),
        ],
        vec![CREDENTIALS[0], ("client_id", secret)],
        vec![
            ("grant_type", "refresh_token"),
            ("client_id", "app"),
            ("refresh_token", token.as_str()),
        ],
        vec![
            ("grant_type", secret),
            ("client_id", "order"),
            ("client_secret", secret),
        ],
        vec![
            CREDENTIALS[0],
            ("client_id", "order"),
            ("client_secret", secret),
            ("scope", secret),
        ],
    ] {
        let response = server.bare("/oauth/token", &form).await;
        assert_ne!(response.status(), 200);
        told.push_str(response.text());
    }
    told.push_str(&format!(
        "{:?} {:?} {:?}",
        server.seen.events(),
        server.clients,
        server.order
    ));
    told.push_str(&server.metrics.render());
    for secret in [secret, token.as_str()] {
        for part in [secret, &secret[5..13], &secret[secret.len() - 8..]] {
            assert!(!told.contains(part), "{part} in {told}");
        }
    }
}
