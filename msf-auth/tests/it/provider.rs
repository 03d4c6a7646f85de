//! Tokens as providers describe them: access tokens pass, ID tokens of the same issuer and keys do not.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use bytes::Bytes;
use msf_auth::{
    Algorithm, HeaderPolicy, JwksFetchError, KeySet, Principal, Provider, Reason, RemoteKeys,
    TrustedIssuer, Verifier, VerifyingKey,
};
use serde_json::{Value, json};

use crate::support::{NOW_S, clock, signed};

static RSA: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

fn rs256(message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; RSA.public_modulus_len()];
    RSA.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message,
        &mut signature,
    )
    .unwrap();
    signature
}

fn keys() -> KeySet {
    let der = RSA.public_key().as_der().unwrap();
    let key = VerifyingKey::from_spki_der(der.as_ref(), Algorithm::Rs256).unwrap();
    KeySet::new([key.with_id("key-1").unwrap()]).unwrap()
}

/// A provider with an issuer and an audience of its kind, and the types that its headers have.
struct Case {
    provider: Provider,
    issuer: &'static str,
    audience: &'static str,
    types: &'static [Option<&'static str>],
}

impl Case {
    fn trusted(&self) -> TrustedIssuer {
        TrustedIssuer::provider(self.provider, self.issuer, keys()).audience(self.audience)
    }

    fn token(&self, token_type: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "alg": "RS256", "kid": "key-1" });
        if let Some(token_type) = token_type {
            header["typ"] = token_type.into();
        }
        let mut all = json!({ "iss": self.issuer, "iat": NOW_S, "exp": NOW_S + 3_600 });
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        signed(&header.to_string(), &all.to_string(), rs256)
    }

    async fn verify(&self, trusted: TrustedIssuer, token: &str) -> Result<Arc<Principal>, Reason> {
        let verifier = Verifier::builder()
            .issuer(trusted)
            .clock(clock())
            .build()
            .unwrap();
        verifier.verify(token).await.map_err(|error| error.reason())
    }

    /// What becomes of claims under every type that the provider sends.
    async fn outcome(&self, claims: &Value) -> Result<Arc<Principal>, Reason> {
        let mut last = Err(Reason::Form);
        for token_type in self.types {
            last = self
                .verify(self.trusted(), &self.token(*token_type, claims))
                .await;
            if last.is_err() {
                break;
            }
        }
        last
    }

    async fn passes(&self, claims: Value, scopes: &[&str]) {
        let principal = self.outcome(&claims).await.unwrap();
        assert!(!principal.is_service());
        assert_eq!(Vec::from_iter(principal.scopes()), scopes, "{claims}");
        let strange = [
            Some("secevent+jwt"),
            Some("logout+jwt"),
            Some("msf-int+jwt"),
            Some(""),
        ];
        for token_type in strange {
            let token = self.token(token_type, &claims);
            let refused = self.verify(self.trusted(), &token).await;
            assert_eq!(refused.unwrap_err(), Reason::Type, "{token_type:?}");
        }
    }

    /// A client's own token passes for that client and for nobody else.
    async fn passes_as_service(&self, claims: Value) {
        assert_eq!(
            self.outcome(&claims).await.unwrap_err(),
            Reason::Subject,
            "{claims}"
        );
        let subject = claims["sub"].as_str().unwrap();
        let token = self.token(self.types[0], &claims);
        let named = self.trusted().service(subject);
        assert!(self.verify(named, &token).await.unwrap().is_service());
        let another = self.trusted().service("another");
        assert_eq!(
            self.verify(another, &token).await.unwrap_err(),
            Reason::Subject
        );
    }

    async fn refuses(&self, claims: Value, reason: Reason) {
        assert_eq!(self.outcome(&claims).await.unwrap_err(), reason, "{claims}");
    }
}

#[tokio::test]
async fn rfc_9068() {
    let case = Case {
        provider: Provider::Rfc9068,
        issuer: "https://authorization-server.example.com/",
        audience: "https://rs.example.com/",
        types: &[Some("at+jwt"), Some("application/AT+JWT")],
    };
    let user = json!({
        "aud": "https://rs.example.com/", "sub": "5ba552d67", "client_id": "s6BhdRkqt3",
        "jti": "dbe39bf3a3ba4238a513f51d6e1691c4", "scope": "openid profile reademail",
    });
    case.passes(user.clone(), &["openid", "profile", "reademail"])
        .await;
    for missing in ["client_id", "jti"] {
        let mut claims = user.clone();
        claims.as_object_mut().unwrap().remove(missing);
        case.refuses(claims, Reason::Type).await;
    }
    let mut client = user.clone();
    client["sub"] = "s6BhdRkqt3".into();
    case.passes_as_service(client).await;
    let id_token = case.token(Some("JWT"), &user);
    assert_eq!(
        case.verify(case.trusted(), &id_token).await.unwrap_err(),
        Reason::Type
    );
}

#[tokio::test]
async fn keycloak() {
    let case = Case {
        provider: Provider::Keycloak,
        issuer: "https://id.example/realms/shop",
        audience: "orders",
        types: &[Some("JWT"), Some("at+jwt")],
    };
    let user = json!({
        "typ": "Bearer", "aud": ["orders", "account"], "azp": "web", "jti": "1",
        "sub": "f:7", "sid": "s", "scope": "openid email", "preferred_username": "ada",
        "realm_access": { "roles": ["user"] },
    });
    case.passes(user.clone(), &["openid", "email"]).await;
    for kind in ["ID", "Refresh", "Offline", "Logout", "bearer", "DPoP"] {
        let mut other = user.clone();
        other["typ"] = kind.into();
        case.refuses(other, Reason::Type).await;
    }
    let mut without = user.clone();
    without.as_object_mut().unwrap().remove("typ");
    case.refuses(without, Reason::Type).await;
    let mut service = user.clone();
    service["client_id"] = "web".into();
    service["preferred_username"] = "service-account-web".into();
    case.passes_as_service(service).await;
    let mut elsewhere = user;
    elsewhere["aud"] = "account".into();
    case.refuses(elsewhere, Reason::Audience).await;
}

#[tokio::test]
async fn auth0() {
    let case = Case {
        provider: Provider::Auth0,
        issuer: "https://my-domain.auth0.com/",
        audience: "https://example.com/health-api",
        types: &[Some("JWT"), Some("at+jwt")],
    };
    let aud = json!([
        "https://example.com/health-api",
        "https://my-domain.auth0.com/userinfo"
    ]);
    let user = json!({
        "aud": aud, "sub": "auth0|123456", "azp": "my_client_id",
        "scope": "openid profile read:patients",
    });
    case.passes(user, &["openid", "profile", "read:patients"])
        .await;
    let rfc_9068 = json!({
        "aud": aud, "sub": "auth0|123456", "client_id": "my_client_id", "jti": "1",
        "scope": "read:patients",
    });
    case.passes(rfc_9068, &["read:patients"]).await;
    let client = json!({
        "aud": aud, "sub": "my_client_id@clients", "azp": "my_client_id",
        "gty": "client-credentials",
    });
    case.passes_as_service(client).await;
    // Even when the API was given the id of the application as its name.
    for mut more in [
        json!({}),
        json!({ "azp": "c", "nonce": "n" }),
        json!({ "azp": "c" }),
    ] {
        let mut id_token = json!({
            "aud": "https://example.com/health-api", "sub": "auth0|123456", "name": "Ada", "sid": "s",
        });
        id_token
            .as_object_mut()
            .unwrap()
            .append(more.as_object_mut().unwrap());
        case.refuses(id_token, Reason::Type).await;
    }
}

#[tokio::test]
async fn entra_id() {
    let case = Case {
        provider: Provider::EntraId,
        issuer: "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
        audience: "6e74172b-be56-4843-9ff4-e66a39bb12e3",
        types: &[Some("JWT")],
    };
    let user = json!({
        "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "ver": "2.0", "azpacr": "0",
        "azp": "a1b2", "scp": "access_as_user orders.read", "sub": "HKZpfaHyWadeOouYlitjrI", "oid": "o",
        "tid": "72f988bf-86f1-41af-91ab-2d7cd011db47", "uti": "u", "roles": ["admin"],
    });
    case.passes(user.clone(), &["access_as_user", "orders.read"])
        .await;
    let mut v1 = user.clone();
    let members = v1.as_object_mut().unwrap();
    members.remove("azp");
    members.insert("appid".to_owned(), "a1b2".into());
    case.passes(v1, &["access_as_user", "orders.read"]).await;
    for change in [
        json!({ "scp": null, "roles": ["orders.read"] }),
        json!({ "idtyp": "app" }),
    ] {
        let mut app = user.clone();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(app.as_object_mut().unwrap().remove(name)),
                _ => app[name] = value.clone(),
            }
        }
        case.passes_as_service(app).await;
    }
    let id_token = json!({
        "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "ver": "2.0", "sub": "s", "oid": "o",
        "nonce": "12345", "preferred_username": "ada@example.com", "roles": ["admin"],
    });
    case.refuses(id_token.clone(), Reason::Type).await;
    let mut implicit = id_token;
    implicit["azp"] = "a1b2".into();
    case.refuses(implicit, Reason::Type).await;
}

#[tokio::test]
async fn okta() {
    let case = Case {
        provider: Provider::Okta,
        issuer: "https://dev.okta.com/oauth2/default",
        audience: "api://default",
        types: &[None, Some("JWT"), Some("at+jwt")],
    };
    let user = json!({
        "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "aud": "api://default",
        "sub": "ada@example.com", "cid": "nmdP1fcyvdVO11AL7ECm", "uid": "00ujmkLgagxeRrAg20g3",
        "scp": ["openid", "orders:read"], "auth_time": NOW_S,
    });
    case.passes(user.clone(), &["openid", "orders:read"]).await;
    let mut client = user.clone();
    client.as_object_mut().unwrap().remove("uid");
    client["sub"] = "nmdP1fcyvdVO11AL7ECm".into();
    case.passes_as_service(client).await;
    // One word that would be two scopes.
    for scp in [
        json!(["openid orders:write"]),
        json!([""]),
        json!([1]),
        json!({}),
        json!(7),
    ] {
        let mut joined = user.clone();
        joined["scp"] = scp;
        case.refuses(joined, Reason::Claims).await;
    }
    let id_token = json!({
        "ver": 1, "jti": "ID.radCQMOQUmyvcTBmmIL0J6BaS60apUEiC7", "aud": "api://default", "sub": "00u",
        "amr": ["pwd"], "idp": "00o", "auth_time": NOW_S, "at_hash": "fPlsvVszI29LU2UhDyJ9vg",
    });
    case.refuses(id_token, Reason::Type).await;
    let internal = case.token(Some("application/okta-internal-at+jwt"), &user);
    assert_eq!(
        case.verify(case.trusted(), &internal).await.unwrap_err(),
        Reason::Type
    );
}

#[tokio::test]
async fn cognito() {
    let case = Case {
        provider: Provider::Cognito,
        issuer: "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_example",
        audience: "1example23456789",
        types: &[None, Some("JWT")],
    };
    let user = json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "cognito:groups": ["admin"], "version": 2,
        "client_id": "1example23456789", "token_use": "access", "origin_jti": "o", "jti": "j",
        "scope": "phone openid orders/read", "auth_time": NOW_S, "username": "ada",
    });
    case.passes(user.clone(), &["phone", "openid", "orders/read"])
        .await;
    let mut another = user.clone();
    another["client_id"] = "2example".into();
    case.refuses(another.clone(), Reason::Audience).await;
    // `aud` is not where the provider puts it, so it does not help.
    another["aud"] = "1example23456789".into();
    case.refuses(another, Reason::Audience).await;
    let client = json!({
        "sub": "1example23456789", "client_id": "1example23456789", "token_use": "access",
        "scope": "orders/read", "version": 2, "jti": "j",
    });
    case.passes_as_service(client).await;
    let id_token = json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "aud": "1example23456789", "token_use": "id",
        "cognito:username": "ada", "email": "ada@example.com", "auth_time": NOW_S,
    });
    case.refuses(id_token, Reason::Type).await;
}

#[tokio::test]
async fn google() {
    let case = Case {
        provider: Provider::Google,
        issuer: "https://accounts.google.com",
        audience: "1234987819200.apps.googleusercontent.com",
        types: &[Some("JWT")],
    };
    let user = json!({
        "aud": "1234987819200.apps.googleusercontent.com", "sub": "10769150350006150715113082367",
        "azp": "1234987819200.apps.googleusercontent.com", "email": "ada@example.com",
        "email_verified": true, "hd": "example.com", "nonce": "0394852-3190485-2490358",
        "scope": "nothing:of:google",
    });
    case.passes(user.clone(), &[]).await;
    let mut another = user;
    another["aud"] = "another.apps.googleusercontent.com".into();
    case.refuses(another, Reason::Audience).await;
    for (azp, email) in [("77", "x@project.iam.gserviceaccount.com"), ("108", "")] {
        case.passes_as_service(json!({
            "aud": "1234987819200.apps.googleusercontent.com", "sub": "108", "azp": azp, "email": email,
        }))
        .await;
    }
}

#[tokio::test]
async fn a_provider_signs_with_rs256_unless_it_is_told_otherwise() {
    let case = Case {
        provider: Provider::Cognito,
        issuer: "https://i",
        audience: "a",
        types: &[None],
    };
    let claims = json!({ "sub": "s", "client_id": "a", "token_use": "access", "username": "u" });
    let token = case.token(None, &claims);
    let only_ps256 = case.trusted().algorithms([Algorithm::Ps256]);
    assert_eq!(
        case.verify(only_ps256, &token).await.unwrap_err(),
        Reason::Algorithm
    );
}

#[tokio::test]
async fn a_fetched_rsa_key_without_an_algorithm_is_for_the_one_that_was_set() {
    let mut document: Value = serde_json::from_str(&keys().to_json()).unwrap();
    document["keys"][0].as_object_mut().unwrap().remove("alg");
    let document = Bytes::from(document.to_string());
    let case = Case {
        provider: Provider::Rfc9068,
        issuer: "https://i",
        audience: "a",
        types: &[Some("at+jwt")],
    };
    let claims = json!({ "aud": "a", "sub": "s", "client_id": "c", "jti": "j" });
    let token = case.token(Some("at+jwt"), &claims);
    let remote = || {
        let document = document.clone();
        RemoteKeys::builder(move || {
            let document = document.clone();
            async move { Ok::<_, JwksFetchError>(document) }
        })
    };
    assert!(remote().rsa_algorithm(Algorithm::Es256).build().is_err());
    for (algorithm, expected) in [
        (Algorithm::Rs256, None),
        (Algorithm::Ps256, Some(Reason::KeyAlgorithm)),
    ] {
        let remote = remote().rsa_algorithm(algorithm).build().unwrap();
        let trusted = TrustedIssuer::provider(Provider::Rfc9068, "https://i", remote).audience("a");
        let refused = case.verify(trusted, &token).await.err();
        assert_eq!(refused, expected, "{algorithm}");
    }
}

#[tokio::test]
async fn a_key_hint_is_refused_or_not_looked_at_and_extensions_are_always_refused() {
    let claims = json!({
        "iss": "https://i", "sub": "s", "aud": "a", "iat": NOW_S, "exp": NOW_S + 60,
    });
    let outcome = |policy: HeaderPolicy, mut more: Value| {
        let mut header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "key-1" });
        header
            .as_object_mut()
            .unwrap()
            .append(more.as_object_mut().unwrap());
        let token = signed(&header.to_string(), &claims.to_string(), rs256);
        let trusted = TrustedIssuer::new("https://i", keys())
            .audience("a")
            .algorithms([Algorithm::Rs256])
            .header_policy(policy);
        let verifier = Verifier::builder()
            .issuer(trusted)
            .clock(clock())
            .build()
            .unwrap();
        async move {
            verifier
                .verify(&token)
                .await
                .map(drop)
                .map_err(|error| error.reason())
        }
    };
    for hint in [
        json!({ "jku": "https://evil.example/keys" }),
        json!({ "x5u": "https://evil.example/cert" }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "jwk": { "kty": "oct", "k": "c2VjcmV0" } }),
    ] {
        let strict = outcome(HeaderPolicy::Strict, hint.clone()).await;
        assert_eq!(strict, Err(Reason::HeaderMember), "{hint}");
        assert_eq!(outcome(HeaderPolicy::Ignore, hint).await, Ok(()));
    }
    for extension in ["crit", "b64", "zip", "enc", "cty"] {
        let refused = outcome(HeaderPolicy::Ignore, json!({ extension: [] })).await;
        assert_eq!(refused, Err(Reason::HeaderMember), "{extension}");
    }
}
