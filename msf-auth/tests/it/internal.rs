//! Internal tokens of an edge whose keys take turns.

use std::{env, fs, path::PathBuf, time::Duration};

use msf_auth::{
    InternalCall, InternalTokens, KeyRing, RotationPolicy, SigningKey, TokenIssuer, TrustedIssuer,
    Verifier,
};

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

    let longer = InternalTokens::builder(edge).ttl(Duration::from_secs(11));
    assert!(longer.build().is_err());
}
