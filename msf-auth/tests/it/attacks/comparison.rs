//! What the way to a comparison tells of the secret that is compared.
//!
//! How long a comparison takes is not measured: what a loop that ends early would add lies below the noise of a machine
//! that does something else too. So this is about what can be seen: of a secret nothing is looked up, and wherever it is
//! wrong the same is done and said.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use msf_auth::{
    Reason,
    api_key::{
        ApiKeyError, ApiKeyId, ApiKeyRecord, ApiKeyRefusal, ApiKeyStore, ApiKeys,
        MemoryApiKeyStore, NewApiKey,
    },
    store::StoreError,
};
use serde_json::json;

use super::world::World;
use crate::support::{ISSUER, SECRET, claims, hs256, signed};

/// A store that counts what it is asked.
#[derive(Clone)]
struct Counting(MemoryApiKeyStore, Arc<AtomicUsize>);

#[async_trait]
impl ApiKeyStore for Counting {
    async fn insert(&self, record: ApiKeyRecord) -> Result<bool, StoreError> {
        self.0.insert(record).await
    }

    async fn fetch(&self, id: ApiKeyId) -> Result<Option<ApiKeyRecord>, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.fetch(id).await
    }

    async fn revoke(&self, id: ApiKeyId, now_s: u64) -> Result<bool, StoreError> {
        self.0.revoke(id, now_s).await
    }

    async fn used(&self, id: ApiKeyId, now_s: u64) -> Result<(), StoreError> {
        self.0.used(id, now_s).await
    }

    async fn list(&self, subject: &str, limit: usize) -> Result<Vec<ApiKeyRecord>, StoreError> {
        self.0.list(subject, limit).await
    }

    async fn remove_before(&self, time_s: u64) -> Result<usize, StoreError> {
        self.0.remove_before(time_s).await
    }
}

/// The text of a key with its checksum made right, as anybody can.
fn with_checksum(said: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, said.as_bytes());
    let alphabet = b"abcdefghijklmnopqrstuvwxyz234567";
    let char = |byte: &u8| char::from(alphabet[usize::from(byte % 32)]);
    let check: String = digest.as_ref()[..7].iter().map(char).collect();
    format!("{said}{check}")
}

#[tokio::test]
async fn row_23_wherever_an_api_key_is_wrong_the_same_is_done() {
    let asked = Arc::new(AtomicUsize::new(0));
    let store = Counting(MemoryApiKeyStore::new(), asked.clone());
    let keys = ApiKeys::builder(ISSUER, store).build().unwrap();
    let made = keys.create(NewApiKey::user("7")).await.unwrap();
    let good = made.key.expose().clone();
    assert!(keys.verify(&good).await.is_ok());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let said = &good[..good.len() - 7];
    assert_eq!(with_checksum(said), good);
    let secret_at = said.rfind('_').unwrap() + 1;
    for at in secret_at..said.len() {
        let other = if said.as_bytes()[at] == b'a' {
            "b"
        } else {
            "a"
        };
        let wrong = with_checksum(&format!("{}{other}{}", &said[..at], &said[at + 1..]));
        let error = keys.verify(&wrong).await.unwrap_err();
        assert!(
            matches!(error, ApiKeyError::Refused(ApiKeyRefusal::Secret)),
            "{at}: {error:?}"
        );
    }
    // By its public part the record was found, and kept; the secret part was never looked for.
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn row_23_wherever_an_hmac_is_wrong_the_same_is_said() {
    let world = World::new();
    let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": "hmac" }).to_string();
    let mut said = claims();
    said["iat"] = json!(world.now_s);
    said["exp"] = json!(world.now_s + 300);
    let good = hs256(&SECRET);
    let token = |change: &dyn Fn(&mut Vec<u8>)| {
        signed(&header, &said.to_string(), |message| {
            let mut tag = good(message);
            change(&mut tag);
            tag
        })
    };
    assert!(world.verifier.verify(&token(&|_| ())).await.is_ok());
    for at in 0..32 {
        for bit in [1, 0x80] {
            let wrong = token(&|tag| tag[at] ^= bit);
            let error = world.verifier.verify(&wrong).await.unwrap_err();
            assert_eq!(error.reason(), Reason::Signature, "{at}");
        }
    }
    // A tag that was cut is not compared as far as it goes.
    for len in [1, 16, 31] {
        let cut = token(&|tag| tag.truncate(len));
        let error = world.verifier.verify(&cut).await.unwrap_err();
        assert_eq!(error.reason(), Reason::Signature, "{len}");
    }
    let longer = token(&|tag| tag.push(0));
    assert!(world.verifier.verify(&longer).await.is_err());
}
