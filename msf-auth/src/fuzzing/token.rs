//! Whole tokens, beside jsonwebtoken.

use std::{
    pin::pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use aws_lc_rs::hmac;
use msf_core::{clock::WallClock, config::Secret};
use serde_json::Value;

use super::json;
use crate::{
    algorithm::Algorithm,
    jws,
    keys::{HmacKey, KeySet},
    principal::Principal,
    token::base64url,
    verify::{TrustedIssuer, Verifier},
};

const SECRET: [u8; 32] = [7; 32];
const NOW_S: u64 = 1_800_000_000;

static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let key =
        HmacKey::hs256("a", &Secret::new(SECRET.to_vec())).expect("the secret is long enough");
    KeySet::new([key]).expect("one key")
});

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let trusted = TrustedIssuer::new("https://user.shop", KEYS.clone())
        .audience("shop")
        .algorithms([Algorithm::Hs256]);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S);
    let builder = Verifier::builder()
        .issuer(trusted)
        .clock(WallClock::pinned(now));
    builder.build().expect("nothing is missing")
});

/// Keys that are known are not waited for.
fn verify(token: &str) -> Option<Arc<Principal>> {
    let verifying = pin!(VERIFIER.verify(token));
    match verifying.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome.ok(),
        Poll::Pending => panic!("a verifier with its keys never waits"),
    }
}

/// No text is a token of a key that its author does not have.
///
/// # Panics
///
/// When one is.
pub fn token(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        assert!(verify(text).is_none());
        assert!(jws::verify(text, &KEYS, Algorithm::ALL).is_err());
    }
}

/// A header and claims, with a NUL between, of one who has the key: whom the verifier accepts, jsonwebtoken accepts,
/// and the claims say so in a tree of serde_json also.
///
/// # Panics
///
/// When one is accepted that should not be.
pub fn signed(data: &[u8]) {
    let end = data
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(data.len());
    let (header, payload) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let message = format!(
        "{}.{}",
        base64url::encode(header),
        base64url::encode(payload)
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    let signature = hmac::sign(&key, message.as_bytes());
    let text = format!("{message}.{}", base64url::encode(signature));
    if let Some(caller) = verify(&text) {
        let header = json::strict(header).expect("strict JSON");
        assert_eq!(header["alg"], "HS256");
        let claims = json::strict(payload).expect("strict JSON");
        check(&caller, &claims);
        assert!(jsonwebtoken_accepts(&text), "{text}");
        let message = jws::verify(&text, &KEYS, &[Algorithm::Hs256]).expect("a token is a message");
        assert_eq!(message.payload(), payload);
    }
}

/// What was checked, once more and slowly.
fn check(caller: &Principal, claims: &Value) {
    let text = |name: &str| claims[name].as_str();
    assert_eq!(text("iss"), Some(caller.issuer()));
    assert_eq!(text("sub"), Some(caller.subject()));
    assert!(!caller.subject().is_empty());
    assert_eq!(text("jti"), caller.token_id());
    let is_ours = |value: &Value| value == "shop";
    let audience = &claims["aud"];
    assert!(
        is_ours(audience)
            || audience
                .as_array()
                .is_some_and(|all| all.iter().any(is_ours))
    );
    let seconds = |name: &str| claims[name].as_f64();
    let now_s = Duration::from_secs(NOW_S).as_secs_f64();
    let expires_s = seconds("exp").expect("a time");
    assert!(expires_s > now_s - 31.0 && expires_s < now_s + 86_431.0);
    for start in ["nbf", "iat"] {
        assert!(
            seconds(start).is_none_or(|start_s| start_s < now_s + 31.0),
            "{start}"
        );
    }
    assert!(claims.get("cnf").is_none());
    for scope in caller.scopes() {
        assert!(text("scope").is_some_and(|all| all.split(' ').any(|one| one == scope)));
    }
}

fn jsonwebtoken_accepts(token: &str) -> bool {
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_audience(&["shop"]);
    validation.set_issuer(&["https://user.shop"]);
    // It knows no other time than that of the system.
    validation.validate_exp = false;
    let key = jsonwebtoken::DecodingKey::from_secret(&SECRET);
    jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
}
