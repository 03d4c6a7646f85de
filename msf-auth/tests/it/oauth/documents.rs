//! What the server says about itself.

use super::*;

#[tokio::test]
async fn the_documents_say_what_there_is() {
    let server = Server::start();
    let document = server.client.get("/.well-known/openid-configuration").await;
    assert_eq!(document.header("content-type"), Some("application/json"));
    let document: Value = document.json();
    let other = server
        .client
        .get("/.well-known/oauth-authorization-server")
        .await;
    assert_eq!(other.json::<Value>(), document);
    assert_eq!(document["issuer"], ISSUER);
    for (name, status) in [
        ("token_endpoint", 405),
        ("revocation_endpoint", 405),
        ("introspection_endpoint", 405),
        ("jwks_uri", 200),
    ] {
        let path = text(&document[name]).strip_prefix(ISSUER).unwrap();
        assert_eq!(server.client.get(path).await.status(), status, "{name}");
    }
    let jwks = server.client.get("/.well-known/jwks.json").await;
    assert!(jwks.text().contains(&*server.issuer.key_id()));
    assert_eq!(
        document["grant_types_supported"],
        json!(["client_credentials", "refresh_token", EXCHANGE])
    );
}

#[tokio::test]
async fn an_issuer_with_a_path_has_everything_below_it() {
    let key = || SigningKey::generate_ed25519().unwrap();
    let issuer = TokenIssuer::new("https://id.shop/eu", key());
    let oauth = OAuth::builder(issuer)
        .clients(MemoryClients::new())
        .build()
        .unwrap();
    let client = TestClient::new(oauth.router());
    for path in [
        "/eu/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/eu",
        "/eu/.well-known/jwks.json",
    ] {
        assert_eq!(client.get(path).await.status(), 200, "{path}");
    }
    let document: Value = client
        .get("/eu/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(document["token_endpoint"], "https://id.shop/eu/oauth/token");
    assert_eq!(
        document["grant_types_supported"],
        json!(["client_credentials"])
    );
    assert!(document.get("introspection_endpoint").is_none());
    assert_eq!(client.get("/eu/oauth/introspect").await.status(), 404);

    let builder = OAuth::builder(TokenIssuer::new("http://id.shop", key()));
    let error = builder.clients(MemoryClients::new()).build().unwrap_err();
    assert!(matches!(error, InvalidOAuth::Issuer(_)), "{error}");
    let error = OAuth::builder(TokenIssuer::new(ISSUER, key()))
        .build()
        .unwrap_err();
    assert!(matches!(error, InvalidOAuth::NoClients), "{error}");
}

#[test]
fn what_the_issuer_says_itself_is_not_carried() {
    for name in ["act", "sub", "exp", "client_id", "msf_kind"] {
        let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
        let builder = OAuth::builder(issuer).clients(MemoryClients::new());
        let error = builder.carry("role").carry(name).build().unwrap_err();
        assert!(matches!(error, InvalidOAuth::Carried(_)), "{name}: {error}");
    }
}
