//! Refreshing and taking back.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_session_goes_on_with_what_is_known_now() {
    let server = Server::start();
    let first = server
        .login("web", &["orders:read", "orders:write", "payments:write"])
        .await;
    let response = server
        .token("web", &server.web, &refresh_form(&first, &[]))
        .await;
    assert_eq!(response.status(), 200, "{}", response.text());
    let body: Value = response.json();
    // What the login granted and the client may not have is not in it.
    assert_eq!(body["scope"], "orders:read orders:write");
    assert_eq!(body["expires_in"], 600);
    let token = claims(text(&body["access_token"]));
    assert_eq!(
        (&token["sub"], &token["sid"], &token["client_id"]),
        (&json!("7"), &json!("s1"), &json!("web"))
    );
    assert_eq!(token["role"], "role of 7");
    let caller = server
        .verifier
        .verify(text(&body["access_token"]))
        .await
        .unwrap();
    assert!(!caller.is_service());

    let second = text(&body["refresh_token"]).to_owned();
    let less = refresh_form(&second, &[("scope", "orders:read")]);
    let response = server.token("web", &server.web, &less).await;
    let body: Value = response.json();
    assert_eq!(body["scope"], "orders:read");
    let third = text(&body["refresh_token"]).to_owned();

    let more = refresh_form(&third, &[("scope", "orders:read admin")]);
    refused(
        &server.token("web", &server.web, &more).await,
        400,
        "invalid_scope",
    );
    let elsewhere = refresh_form(&third, &[("audience", "payment")]);
    refused(
        &server.token("web", &server.web, &elsewhere).await,
        400,
        "invalid_target",
    );
    // Neither used it up.
    let response = server
        .token("web", &server.web, &refresh_form(&third, &[]))
        .await;
    assert_eq!(response.status(), 200);

    // The first one again: two have it.
    time::advance(Duration::from_secs(60)).await;
    let response = server
        .token("web", &server.web, &refresh_form(&first, &[]))
        .await;
    refused(&response, 400, "invalid_grant");
    let fourth = text(
        &server
            .token("web", &server.web, &refresh_form(&third, &[]))
            .await
            .json::<Value>()["error"],
    )
    .to_owned();
    assert_eq!(fourth, "invalid_grant");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_is_of_no_use_to_another_client() {
    let server = Server::start();
    let token = server.login("web", &["orders:read"]).await;
    let form = refresh_form(&token, &[("client_id", "app")]);
    refused(
        &server.bare("/oauth/token", &form).await,
        400,
        "invalid_grant",
    );
    let response = server
        .token("web", &server.web, &refresh_form(&token, &[]))
        .await;
    assert_eq!(response.status(), 200);
    // A public client has its own.
    let token = server.login("app", &["orders:read", "orders:write"]).await;
    let form = refresh_form(&token, &[("client_id", "app")]);
    let body: Value = server.bare("/oauth/token", &form).await.json();
    assert_eq!(body["scope"], "orders:read");
    for nonsense in ["x", "msfr_", "msfr_AAAA", "a.b.c"] {
        let form = refresh_form(nonsense, &[]);
        refused(
            &server.token("web", &server.web, &form).await,
            400,
            "invalid_grant",
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_that_is_gone_gets_no_token_and_a_store_that_is_away_costs_no_session() {
    let server = Server::start();
    let token = server.login("web", &["orders:read"]).await;
    let refresh = || async {
        server
            .token("web", &server.web, &refresh_form(&token, &[]))
            .await
    };
    for state in [FAILING, SILENT] {
        server.subjects.0.store(state, Ordering::Relaxed);
        let response = refresh().await;
        refused(&response, 503, "temporarily_unavailable");
        assert_eq!(response.header("retry-after"), Some("1"));
        // Longer than any grace.
        time::advance(Duration::from_secs(600)).await;
    }
    server.subjects.0.store(GONE, Ordering::Relaxed);
    refused(&refresh().await, 400, "invalid_grant");
    server.subjects.0.store(KNOWN, Ordering::Relaxed);
    refused(&refresh().await, 400, "invalid_grant");
}

#[tokio::test(start_paused = true)]
async fn a_session_is_ended_by_its_client_only() {
    let server = Server::start();
    let token = server.login("web", &["orders:read"]).await;
    let form = [("token", token.as_str()), ("client_id", "app")];
    refused(
        &server.bare("/oauth/revoke", &form).await,
        400,
        "invalid_grant",
    );
    assert!(server.refresh.inspect(&token).await.unwrap().is_some());

    let form = [
        ("token", token.as_str()),
        ("token_type_hint", "access_token"),
    ];
    for _ in 0..2 {
        // The second time there is nothing to do, and that is no error.
        let response = server
            .post("/oauth/revoke", "web", &server.web, &form)
            .await;
        assert_eq!((response.status().as_u16(), response.text()), (200, ""));
    }
    let response = server
        .token("web", &server.web, &refresh_form(&token, &[]))
        .await;
    refused(&response, 400, "invalid_grant");
    let unknown = [("token", "x")];
    let response = server
        .post("/oauth/revoke", "web", &server.web, &unknown)
        .await;
    assert_eq!(response.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn access_tokens_are_taken_back_by_their_client_and_with_their_session() {
    let server = Server::start();
    let session = server.login("web", &["orders:read"]).await;
    let response = server
        .token("web", &server.web, &refresh_form(&session, &[]))
        .await;
    let body: Value = response.json();
    let of_session = text(&body["access_token"]);
    let response = server.token("order", &server.order, &CREDENTIALS).await;
    let body: Value = response.json();
    let own = text(&body["access_token"]);
    let revoke = async |client: &str, secret: &ClientSecret, token: &str| {
        let form = [("token", token)];
        server.post("/oauth/revoke", client, secret, &form).await
    };

    refused(&revoke("web", &server.web, own).await, 400, "invalid_grant");
    assert!(server.verifier.verify(own).await.is_ok());
    for token in [own, own, "a.b.c"] {
        let response = revoke("order", &server.order, token).await;
        assert_eq!(response.status(), 200);
    }
    assert!(server.verifier.verify(own).await.is_err());
    assert_eq!(server.seen.count(Kind::TokenRevoked), 2);

    assert!(server.verifier.verify(of_session).await.is_ok());
    assert_eq!(revoke("web", &server.web, &session).await.status(), 200);
    assert!(server.verifier.verify(of_session).await.is_err());

    // Nobody is told.
    let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
    let oauth = OAuth::builder(issuer).clients(server.clients.clone());
    let oauth = oauth.build().unwrap();
    let secret = server.web.text().expose().as_str();
    for token in ["a.b.c", "x"] {
        let form = [
            ("client_id", "web"),
            ("client_secret", secret),
            ("token", token),
        ];
        let request = Request::post("/oauth/revoke")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(encode(&form)).unwrap();
        let response = TestClient::new(oauth.router()).send(request).await;
        refused(&response, 400, "unsupported_token_type");
    }
}

/// An access token and the next refresh token.
async fn refreshed(server: &Server, token: &str) -> (String, String) {
    let form = refresh_form(token, &[]);
    let response = server.token("web", &server.web, &form).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    let body: Value = response.json();
    let part = |name: &str| text(&body[name]).to_owned();
    (part("access_token"), part("refresh_token"))
}

async fn is_revoked(server: &Server, token: &str) -> bool {
    let outcome = server.verifier.verify(token).await;
    outcome.is_err_and(|error| error.reason() == Reason::Revoked)
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_comes_back_ends_all_that_its_session_has() {
    let server = Server::start();
    let first = server.login("web", &["orders:read"]).await;
    let (access, second) = refreshed(&server, &first).await;
    let (later, third) = refreshed(&server, &second).await;
    // Another client of the same session.
    let app = server.login("app", &["orders:read"]).await;
    let theft = async || {
        let form = refresh_form(&first, &[]);
        server.token("web", &server.web, &form).await
    };
    // Of no use to anybody but its client, so no sign of theft.
    let form = refresh_form(&first, &[("client_id", "app")]);
    let response = server.bare("/oauth/token", &form).await;
    refused(&response, 400, "invalid_grant");
    assert!(!is_revoked(&server, &access).await);

    refused(&theft().await, 400, "invalid_grant");
    for token in [&access, &later] {
        assert!(is_revoked(&server, token).await);
    }
    for (form, client) in [
        (refresh_form(&third, &[]), "web"),
        (refresh_form(&app, &[("client_id", "app")]), "app"),
    ] {
        let response = match client {
            "web" => server.token("web", &server.web, &form).await,
            _ => server.bare("/oauth/token", &form).await,
        };
        refused(&response, 400, "invalid_grant");
    }
    // Told once, however often they come.
    refused(&theft().await, 400, "invalid_grant");
    let events = server.seen.events();
    let told: Vec<_> = events
        .iter()
        .filter(|event| event.kind() == Kind::TokenRevoked)
        .collect();
    assert_eq!(told.len(), 1);
    for (name, value) in [("session", "s1"), ("subject", "7"), ("reason", "reused")] {
        assert_eq!(told[0].field(name), Some(value));
    }
}

#[tokio::test(start_paused = true)]
async fn a_thief_who_breaks_off_keeps_no_access_token() {
    let server = Server::start();
    let first = server.login("web", &["orders:read"]).await;
    let (access, second) = refreshed(&server, &first).await;
    let (_, _third) = refreshed(&server, &second).await;
    server.store.hangs.store(true, Ordering::Relaxed);
    let form = refresh_form(&first, &[]);
    let request = server.token("web", &server.web, &form);
    let outcome = time::timeout(Duration::from_millis(500), request).await;
    assert!(outcome.is_err());
    assert!(is_revoked(&server, &access).await);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_one_client_ends_is_over_for_the_others() {
    let server = Server::start();
    let app = server.login("app", &["orders:read"]).await;
    let web = server.login("web", &["orders:read"]).await;
    let (access, next) = refreshed(&server, &web).await;
    let form = [("token", app.as_str()), ("client_id", "app")];
    assert_eq!(server.bare("/oauth/revoke", &form).await.status(), 200);
    assert!(is_revoked(&server, &access).await);
    // Otherwise it would get access tokens that nobody takes, and never ask its user to log in.
    let form = refresh_form(&next, &[]);
    let response = server.token("web", &server.web, &form).await;
    refused(&response, 400, "invalid_grant");
}

#[tokio::test(start_paused = true)]
async fn an_access_token_is_taken_back_whatever_its_audience() {
    let server = Server::start();
    let sign = |issuer: &TokenIssuer, client: &'static str| {
        let token = issuer.token("7").audience("ledger").client(client);
        token.sign().unwrap()
    };
    let token = sign(&server.issuer, "order");
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    let revoke = async |token: &str| {
        let form = [("token", token)];
        server
            .post("/oauth/revoke", "order", &server.order, &form)
            .await
    };
    for nobodys in [&sign(&server.foreign, "order"), &forged, "a.b.c", "..", "."] {
        assert_eq!(revoke(nobodys).await.status(), 200);
    }
    refused(
        &revoke(&sign(&server.issuer, "web")).await,
        400,
        "invalid_grant",
    );
    assert_eq!(server.seen.count(Kind::TokenRevoked), 0);

    assert_eq!(revoke(&token).await.status(), 200);
    assert_eq!(server.seen.count(Kind::TokenRevoked), 1);
    let trusted = TrustedIssuer::new(ISSUER, server.issuer.jwks()).audience("ledger");
    let clock = WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S));
    let ledger = Verifier::builder()
        .issuer(trusted)
        .clock(clock)
        .revocations(server.revocations.clone())
        .build()
        .unwrap();
    let outcome = ledger.verify(&token).await.map_err(|error| error.reason());
    assert_eq!(outcome.unwrap_err(), Reason::Revoked);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_taken_away_is_gone_and_a_claim_that_is_not_theirs_costs_no_session() {
    let server = Server::start();
    let token = server.login("web", &["orders:read"]).await;
    server.subjects.0.store(WRONG, Ordering::Relaxed);
    let form = refresh_form(&token, &[]);
    let response = server.token("web", &server.web, &form).await;
    refused(&response, 500, "server_error");
    // Longer than any grace.
    time::advance(Duration::from_secs(600)).await;
    server.subjects.0.store(WITHOUT_ROLE, Ordering::Relaxed);
    let (access, _) = refreshed(&server, &token).await;
    let claims = claims(&access);
    assert!(claims.get("role").is_none(), "{claims}");
}
