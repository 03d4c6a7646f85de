//! Whatever is printed, no secret is in it, nor a part of one.
//!
//! Everything that can fail fails here, with secrets that are known, and all that anybody could print is looked through:
//! events of the log at every level, audit events, metrics, answers, `Debug` of the types, errors with their sources.

mod api_keys;
#[cfg(feature = "oauth-client")]
mod elsewhere;
mod internal;
mod login;
#[cfg(feature = "oauth")]
mod oauth;
mod printed;
#[cfg(feature = "sqlite")]
mod stores;

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::Full;
use msf_auth::{
    Algorithm, AuthLayer, BearerSource, HmacKey, Key, KeySet, PasswordConfig, Passwords,
    Revocations, SigningKey, TokenCache, TokenIssuer, TrustedIssuer, Verifier, VerifyingKey,
    audit::{Audit, AuditSink, Event, MemorySink},
    bearer_token, jws,
    password::PasswordHash,
    policy,
    refresh::{Grant, MemoryRefreshStore, Presented, RefreshPolicy, RefreshStore, RefreshTokens},
};
use msf_core::{config::Secret, metrics::Metrics, problem::Problem, testing::LogCapture};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use self::printed::Printed;
use crate::support::{ISSUER, Keyring, claims, clock, ed25519, encode, hs256, signed};

const HMAC: &str = "Zq7vT1xLm9KpWc4Rg8Yb2Nd6Hs0Jf3Ue5QaXtz";
const PASSWORD: &str = "nuthatch-Vz82 gravel Kp41 osprey";
const OTHER_PASSWORD: &str = "bobolink-Xj93 tundra Mw57 plover";
const FILE: &str = "Lr6TnGy3BvKwQe8ZsDx2HjUm5PcAo9FiRt7Yq4";

/// To the log and to memory.
struct Both(MemorySink, Audit);

impl AuditSink for Both {
    fn record(&self, event: &Event<'_>) {
        self.1.record(event);
        self.0.record(event);
    }
}

fn keys(printed: &mut Printed, keyring: &Keyring) {
    let secret = Secret::new(HMAC.as_bytes().to_vec());
    let hmac = HmacKey::hs256("hmac", &secret).unwrap();
    printed.debug("secret", &secret);
    printed.debug("hmac", &hmac);
    printed.debug("key", &Key::from(hmac.clone()));
    printed.failed("short", HmacKey::hs512("hmac", &secret));
    printed.failed("no id", HmacKey::hs256("", &secret));
    printed.failed("twice", KeySet::new([hmac.clone(), hmac]));

    // Where the private part of a key lies in its document (RFC 5208).
    for (what, key, private) in [
        ("the key of EdDSA", &keyring.ed25519, 16..48),
        ("the key of ES256", &keyring.es256, 36..68),
    ] {
        let der = key.to_pkcs8().unwrap();
        printed.secret(what, &der.expose()[private.clone()]);
        printed.debug(what, key);
        printed.debug(what, &der);
        let pem = |label: &str| {
            let text = STANDARD.encode(der.expose());
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        let d = encode(&der.expose()[private]);
        let jwk =
            json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": encode([1; 32]), "d": d });
        let cut = Secret::new(der.expose()[..der.expose().len() - 1].to_vec());
        printed.failed(what, SigningKey::from_pkcs8(&cut));
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            printed.failed(what, VerifyingKey::from_spki_der(der.expose(), algorithm));
            for label in ["PRIVATE KEY", "PUBLIC KEY"] {
                printed.failed(what, VerifyingKey::from_spki_pem(&pem(label), algorithm));
            }
        }
        printed.failed(what, VerifyingKey::from_jwk(jwk.to_string().as_bytes()));
        printed.failed(
            what,
            HmacKey::hs256("a", &Secret::new(pem("PRIVATE KEY").into_bytes())),
        );
        printed.debug(
            what,
            &KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap(),
        );
    }

    let oct = json!({ "kty": "oct", "k": encode(HMAC), "alg": "HS256", "kid": "hmac" });
    printed.debug(
        "oct",
        &KeySet::parse(json!({ "keys": [oct] }).to_string().as_bytes()).unwrap(),
    );
    // Somebody mixed up two files.
    for document in [
        json!(HMAC),
        json!({ "keys": HMAC }),
        json!({ "keys": { "k": HMAC } }),
        json!({ HMAC: [] }),
        json!([HMAC]),
    ] {
        printed.failed("document", KeySet::parse(document.to_string().as_bytes()));
        printed.failed(
            "document",
            VerifyingKey::from_jwk(document.to_string().as_bytes()),
        );
    }
    let twice = format!(r#"{{"keys":[],"{HMAC}":1,"{HMAC}":2}}"#);
    for text in [HMAC, "{\"keys\":[\"", twice.as_str()] {
        printed.failed("text", KeySet::parse(text.as_bytes()));
    }
}

fn verifier(keyring: &Keyring, metrics: &Metrics, audit: &Audit) -> Verifier {
    let secret = Secret::new(HMAC.as_bytes().to_vec());
    let known = [
        Key::from(HmacKey::hs256("hmac", &secret).unwrap()),
        keyring.ed25519.verifying_key().into(),
    ];
    let trusted = TrustedIssuer::new(ISSUER, KeySet::new(known).unwrap())
        .audience("shop")
        .algorithms([Algorithm::EdDsa, Algorithm::Hs256]);
    let builder = Verifier::builder()
        .issuer(trusted)
        .clock(clock())
        .metrics(metrics)
        .audit(audit.clone())
        .cache(TokenCache::bytes(1 << 20))
        .revocations(Revocations::new());
    builder.build().unwrap()
}

async fn tokens(printed: &mut Printed, keyring: &Keyring, metrics: &Metrics, audit: &Audit) {
    let verifier = verifier(keyring, metrics, audit);
    let header =
        |alg: &str, kid: &str| json!({ "alg": alg, "typ": "at+jwt", "kid": kid }).to_string();
    let by_ed = |claims: serde_json::Value| {
        signed(
            &keyring.header().to_string(),
            &claims.to_string(),
            ed25519(&keyring.ed25519),
        )
    };
    let good = [
        signed(
            &header("HS256", "hmac"),
            &claims().to_string(),
            hs256(HMAC.as_bytes()),
        ),
        by_ed(claims()),
    ];
    for token in &good {
        printed.token("a good token", token);
        let verify = verifier.verify(token);
        printed.debug("verify", &verify);
        let caller = verify.await.unwrap();
        printed.debug("caller", &caller);
        printed.failed("claims", caller.claims::<Vec<u8>>());
        // Once more, from the cache.
        printed.debug("caller", &verifier.verify(token).await.unwrap());
    }
    let changed = |name: &str, value: serde_json::Value| {
        let mut claims = claims();
        claims[name] = value;
        by_ed(claims)
    };
    let mut bad = vec![
        signed(
            &header("HS256", "hmac"),
            &claims().to_string(),
            hs256(b"another"),
        ),
        signed(
            &header("HS256", "unknown"),
            &claims().to_string(),
            hs256(b"another"),
        ),
        signed(
            &header("none", "hmac"),
            &claims().to_string(),
            hs256(b"another"),
        ),
        signed(
            "{\"alg\":\"HS256\"",
            &claims().to_string(),
            hs256(b"another"),
        ),
        signed(
            &header("EdDSA", keyring.ed25519.id()),
            HMAC,
            ed25519(&keyring.ed25519),
        ),
        changed("exp", json!(1)),
        changed("exp", json!(HMAC)),
        changed("aud", json!("another")),
        changed("iss", json!("https://evil.example")),
        changed("msf_kind", json!("service")),
        format!("{}=", good[0]),
        format!("{}.{}", good[1], HMAC),
        HMAC.to_owned(),
    ];
    bad.push(good[1].repeat(40));
    let layer = AuthLayer::builder(verifier.clone(), policy::scope("none"))
        .metrics(metrics)
        .audit(audit.clone())
        .build()
        .unwrap();
    printed.debug("layer", &layer);
    let service = layer
        .answering()
        .layer(service_fn(|_request: Request<()>| async {
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let keys = KeySet::new([keyring.ed25519.verifying_key()]).unwrap();
    for token in bad.iter().chain(&good) {
        printed.token("a token", token);
        if let Err(error) = verifier.verify(token).await {
            printed.error("verify", &error);
            printed.debug("problem", &Problem::from(error));
        }
        if let Err(reason) = jws::verify(token, &keys, &[Algorithm::Hs256]) {
            printed.debug("jws", &reason);
        }
        let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) else {
            continue;
        };
        let request = Request::builder().header(header::AUTHORIZATION, value);
        let answer = service
            .clone()
            .oneshot(request.body(()).unwrap())
            .await
            .unwrap();
        printed.debug("answer", &answer);
    }
    let mut headers = HeaderMap::new();
    for value in [format!("Bearer {HMAC} {HMAC}"), format!("Bearer {HMAC}")] {
        headers.append(header::AUTHORIZATION, value.parse().unwrap());
        let mut first = headers.clone();
        first.insert(
            header::AUTHORIZATION,
            format!("Bearer {HMAC},").parse().unwrap(),
        );
        printed.failed("bearer", bearer_token(&first));
    }
    printed.failed("bearer", bearer_token(&headers));
    printed.debug("verifier", &verifier);
}

fn issuing(printed: &mut Printed) {
    let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
    let token = issuer.token("7").audience("shop").scopes(["a"]);
    printed.debug("builder", &token);
    printed.token("an issued token", &token.sign().unwrap());
    printed.failed("no audience", issuer.token("7").sign());
    let service = issuer.service_tokens("order", "payment");
    let header = service.bearer().unwrap();
    printed.debug("header", &header);
    let text = header
        .to_str()
        .unwrap()
        .trim_start_matches("Bearer ")
        .to_owned();
    printed.token("a service's token", &text);
    printed.debug("service", &service);
    printed.debug("issuer", &issuer);
    printed.debug("jwks", &issuer.jwks_response::<Full<Bytes>>());

    let dir = std::env::temp_dir().join(format!("msf-auth-{:016x}", fastrand::u64(..)));
    printed.debug("issuer", &TokenIssuer::open(&dir, ISSUER).unwrap());
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{FILE}\n-----END PRIVATE KEY-----\n");
            fs::write(&path, pem).unwrap();
        }
    }
    let outcome = TokenIssuer::open(&dir, ISSUER);
    fs::remove_dir_all(&dir).unwrap();
    printed.failed("key file", outcome);
}

async fn passwords(printed: &mut Printed, metrics: &Metrics) {
    let config = PasswordConfig {
        memory_kib: 8,
        iterations: 1,
        ..PasswordConfig::default()
    };
    let passwords = Passwords::with_metrics(config, metrics).unwrap();
    let secret = |text: &str| Secret::new(text.to_owned());
    let stored = passwords.hash(secret(PASSWORD)).await.unwrap();
    // What is between the settings and the end: salt and hash.
    let hash = stored.as_str().rsplit('$').next().unwrap().to_owned();
    printed.secret("a stored hash", hash);
    printed.debug("hash", &stored);
    for given in [PASSWORD, OTHER_PASSWORD, ""] {
        let outcome = passwords.verify(secret(given), Some(stored.clone())).await;
        printed.debug("outcome", &outcome);
        printed.debug("outcome", &passwords.verify(secret(given), None).await);
    }
    let broken = PasswordHash::new(format!("$argon2id${OTHER_PASSWORD}"));
    printed.debug("hash", &broken);
    printed.failed(
        "hash",
        passwords.verify(secret(PASSWORD), Some(broken)).await,
    );
    printed.failed("long", passwords.hash(secret(&PASSWORD.repeat(100))).await);
    printed.debug("passwords", &passwords);
}

fn of_web(token: &str) -> Presented<'_> {
    Presented::new(token).client("web")
}

async fn refresh(
    printed: &mut Printed,
    metrics: &Metrics,
    audit: &Audit,
    store: impl RefreshStore,
) {
    let tokens = RefreshTokens::new(store, RefreshPolicy::default())
        .unwrap()
        .with_audit(audit.clone())
        .with_metrics(metrics)
        .unwrap();
    let issued = tokens.issue(Grant::new("7").client("web")).await.unwrap();
    printed.debug("issued", &issued);
    let first = issued.token.expose().clone();
    let second = tokens.rotate(&of_web(&first)).await.unwrap();
    printed.debug("rotated", &second);
    let second = second.token.expose().clone();
    for token in [&first, &second] {
        // Behind the prefix, the id of the family and the generation, 20 bytes: they say which session it is.
        printed.secret("a refresh token", &token[5 + 28..]);
        printed.debug("presented", &of_web(token));
    }
    printed.failed(
        "client",
        tokens.rotate(&Presented::new(&second).client("evil")).await,
    );
    let longer = format!("{second}A");
    printed.failed("unknown", tokens.rotate(&of_web(&longer)).await);
    printed.debug("family", &tokens.inspect(&second).await);
    printed.debug("rotated", &tokens.rotate(&of_web(&second)).await);
    printed.failed("reused", tokens.rotate(&of_web(&first)).await);
    printed.failed("revoked", tokens.rotate(&of_web(&second)).await);
    printed.debug("tokens", &tokens);
}

#[tokio::test]
async fn nothing_that_is_printed_has_a_secret_in_it() {
    let logs = LogCapture::start();
    let (metrics, memory) = (Metrics::new(), MemorySink::new(10_000));
    let audit = Audit::new(Both(memory.clone(), Audit::log()));
    let mut printed = Printed::default();
    for (what, secret) in [
        ("the secret of HMAC", HMAC),
        ("a password", PASSWORD),
        ("another password", OTHER_PASSWORD),
        ("a file", FILE),
    ] {
        printed.secret(what, secret);
    }
    let keyring = Keyring::generate();
    keys(&mut printed, &keyring);
    tokens(&mut printed, &keyring, &metrics, &audit).await;
    issuing(&mut printed);
    passwords(&mut printed, &metrics).await;
    let store = MemoryRefreshStore::new();
    printed.debug("store", &store);
    refresh(&mut printed, &metrics, &audit, store).await;
    login::logins(&mut printed, &metrics, &audit).await;
    api_keys::api_keys(&mut printed, &metrics, &audit).await;
    internal::internal(&mut printed, &metrics, &audit).await;
    #[cfg(feature = "sqlite")]
    {
        stores::refresh(&mut printed, &metrics, &audit).await;
        stores::no_database(&mut printed).await;
    }
    #[cfg(feature = "oauth")]
    oauth::oauth(&mut printed, &metrics, &audit).await;
    #[cfg(feature = "oauth-client")]
    elsewhere::elsewhere(&mut printed, &metrics, &audit).await;

    printed.debug("log", &logs.events());
    printed.debug("audit", &memory.events());
    printed.text += &metrics.render();
    assert!(!logs.events().is_empty() && !memory.events().is_empty());
    assert_eq!(printed.found(), [], "in {} bytes", printed.text.len());
}
