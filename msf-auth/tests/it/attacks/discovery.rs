//! Who can change what an issuer publishes about itself, from the document to what becomes of tokens.

use std::time::Duration;

use msf_auth::{
    Algorithm, HttpJwks, KeySet, Reason, RemoteKeys, SigningKey, TokenIssuer, TrustedIssuer,
    Verifier, VerifierBuilder,
};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

use crate::support::{NOW_S, clock, ed25519, encode, hs256, signed};

const SECRET: [u8; 32] = [7; 32];

/// An issuer at an address of its own.
struct Issuer {
    server: MockServer,
    key: SigningKey,
}

impl Issuer {
    async fn start() -> Self {
        Self {
            server: MockServer::start().await,
            key: SigningKey::generate_ed25519().unwrap(),
        }
    }

    fn name(&self) -> String {
        self.server.uri()
    }

    async fn publish(&self, document: &Value, keys: &Value) {
        self.server.reset().await;
        for (at, body) in [
            ("/.well-known/openid-configuration", document),
            ("/keys", keys),
        ] {
            Mock::given(path(at))
                .respond_with(ResponseTemplate::new(200).set_body_json(body))
                .mount(&self.server)
                .await;
        }
    }

    fn keys(&self) -> Value {
        let set = KeySet::new([self.key.verifying_key()]).unwrap();
        serde_json::from_str(&set.to_json()).unwrap()
    }

    /// Whoever verifies knows the name of this issuer, and the one algorithm that it uses.
    fn trusted(&self) -> TrustedIssuer {
        let source = HttpJwks::discovery(&self.name()).allow_http_loopback();
        let source = source.timeout(Duration::from_secs(10)).build().unwrap();
        TrustedIssuer::new(self.name(), RemoteKeys::new(source))
            .audience("shop")
            .algorithms([Algorithm::EdDsa])
    }

    fn token(&self) -> String {
        let issuer = TokenIssuer::new(self.name(), self.key.clone()).with_clock(clock());
        issuer.token("7").audience("shop").sign().unwrap()
    }

    /// Claims of this issuer, under any header and signature.
    fn forged(&self, header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let claims = json!({ "iss": self.name(), "sub": "7", "aud": "shop", "exp": NOW_S + 300 });
        signed(&header.to_string(), &claims.to_string(), sign)
    }
}

fn verifier(trusted: impl IntoIterator<Item = TrustedIssuer>) -> Verifier {
    let builder = Verifier::builder().clock(clock());
    let builder = trusted.into_iter().fold(builder, VerifierBuilder::issuer);
    builder.build().unwrap()
}

async fn reason(verifier: &Verifier, token: &str) -> Option<Reason> {
    let outcome = verifier.verify(token).await;
    outcome.err().map(|error| error.reason())
}

#[tokio::test]
async fn row_20_a_published_document_brings_in_no_algorithm() {
    let issuer = Issuer::start().await;
    let oct = json!({ "kty": "oct", "k": encode(SECRET), "kid": "secret", "alg": "HS256" });
    let mut renamed = issuer.keys()["keys"][0].clone();
    renamed["kid"] = json!("renamed");
    renamed["alg"] = json!("HS256");
    let mut keys = issuer.keys();
    let published = keys["keys"].as_array_mut().unwrap();
    published.extend([oct, renamed]);
    let document = json!({
        "issuer": issuer.name(), "jwks_uri": format!("{}/keys", issuer.name()),
        "id_token_signing_alg_values_supported": ["none", "HS256"],
        "token_endpoint_auth_signing_alg_values_supported": ["none"],
    });
    issuer.publish(&document, &keys).await;
    let verifier = verifier([issuer.trusted()]);
    assert_eq!(reason(&verifier, &issuer.token()).await, None);
    let header = |alg: &str, kid: &str| json!({ "alg": alg, "typ": "at+jwt", "kid": kid });
    let public = issuer.keys().to_string();
    for (token, expected) in [
        (
            issuer.forged(&header("none", "x"), |_| Vec::new()),
            Reason::Form,
        ),
        (
            issuer.forged(&header("none", "x"), |_| vec![0; 64]),
            Reason::Algorithm,
        ),
        (
            issuer.forged(&header("HS256", "secret"), hs256(&SECRET)),
            Reason::Algorithm,
        ),
        (
            issuer.forged(&header("HS256", issuer.key.id()), hs256(public.as_bytes())),
            Reason::Algorithm,
        ),
        // The right key, which its own document says is for something else.
        (
            issuer.forged(&header("EdDSA", "renamed"), ed25519(&issuer.key)),
            Reason::UnknownKey,
        ),
    ] {
        assert_eq!(reason(&verifier, &token).await, Some(expected));
    }
}

#[tokio::test]
async fn row_20_a_published_document_brings_in_no_other_issuer() {
    let (ours, evil) = (Issuer::start().await, Issuer::start().await);
    let jwks_uri = |issuer: &Issuer| format!("{}/keys", issuer.name());
    for (named, at) in [(&evil, &ours), (&ours, &evil), (&evil, &evil)] {
        let document = json!({ "issuer": named.name(), "jwks_uri": jwks_uri(at) });
        ours.publish(&document, &evil.keys()).await;
        evil.publish(&document, &evil.keys()).await;
        let verifier = verifier([ours.trusted()]);
        let mut forged = ours.token();
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": evil.key.id() });
        for _ in 0..2 {
            let outcome = reason(&verifier, &forged).await;
            assert_eq!(outcome, Some(Reason::KeysUnavailable));
            forged = ours.forged(&header, ed25519(&evil.key));
        }
        assert_eq!(reason(&verifier, &evil.token()).await, Some(Reason::Issuer));
        assert!(evil.server.received_requests().await.unwrap().is_empty());
    }

    // Both are trusted, each for itself.
    for issuer in [&ours, &evil] {
        let document = json!({ "issuer": issuer.name(), "jwks_uri": jwks_uri(issuer) });
        issuer.publish(&document, &issuer.keys()).await;
    }
    let verifier = verifier([ours.trusted(), evil.trusted()]);
    for (issuer, other) in [(&ours, &evil), (&evil, &ours)] {
        assert_eq!(reason(&verifier, &issuer.token()).await, None);
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": issuer.key.id() });
        let mixed_up = other.forged(&header, ed25519(&issuer.key));
        let outcome = reason(&verifier, &mixed_up).await;
        assert_eq!(outcome, Some(Reason::UnknownKey));
    }
}
