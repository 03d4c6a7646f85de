//! Internal tokens of an edge whose keys take turns.

use std::{env, fs, path::PathBuf, time::Duration};

use msf_auth::{
    InternalCall, InternalTokens, KeyRing, RotationPolicy, SigningKey, TokenIssuer, TrustedIssuer,
    Verifier,
};

use crate::support;

/// A directory that goes with the test.
struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[tokio::test]
async fn a_token_lives_no_longer_than_the_ring_allows() {
    let dir = Dir(env::temp_dir().join(format!("msf-auth-edge-{:016x}", fastrand::u64(..))));
    let policy = RotationPolicy::default().token_ttl_max(Duration::from_secs(10));
    let ring = KeyRing::builder(&dir.0).policy(policy).open().unwrap();
    let edge = TokenIssuer::with_ring("https://gateway.shop", ring);
    let tokens = InternalTokens::new(edge.clone());

    let users = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519().unwrap());
    let trusted = TrustedIssuer::new("https://user.shop", users.jwks()).audience("shop");
    let verifier = Verifier::builder().issuer(trusted).build().unwrap();
    let token = users.token("7").audience("shop").sign().unwrap();
    let caller = verifier.verify(&token).await.unwrap();
    assert!(tokens.bearer(&caller, &InternalCall::to("order")).is_ok());

    // What nobody said how long it lives does not live longer either.
    let token = edge.token("7").audience("order").sign().unwrap();
    let claims = support::decode(token.split('.').nth(1).unwrap());
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    let life_s = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(life_s, 10);
    let longer = InternalTokens::builder(edge).ttl(Duration::from_secs(11));
    assert!(longer.build().is_err());
}
