//! An etcd with users.

use std::time::Duration;

use msf_core::config::Secret;
use msf_registry::{
    Change, Discovery, Registrar, RegistryError, Renewal,
    backend::etcd::{EtcdRegistry, EtcdRegistryBuilder},
};
use serde_json::{Value, json};

use super::server::Etcd;
use crate::setup::{instance, payment};

const TTL: Duration = Duration::from_secs(30);

/// `ada` may read and write below `/shop/` and nowhere else.
async fn with_users() -> Etcd {
    let etcd = Etcd::start().await;
    let below_shop = json!({ "permType": "READWRITE", "key": "L3Nob3Av", "range_end": "L3Nob3Aw" });
    for (path, body) in [
        ("auth/user/add", json!({ "name": "root", "password": "r" })),
        ("auth/role/add", json!({ "name": "root" })),
        ("auth/user/grant", json!({ "user": "root", "role": "root" })),
        (
            "auth/user/add",
            json!({ "name": "ada", "password": "lovelace" }),
        ),
        ("auth/role/add", json!({ "name": "shop" })),
        (
            "auth/role/grant",
            json!({ "name": "shop", "perm": below_shop }),
        ),
        ("auth/user/grant", json!({ "user": "ada", "role": "shop" })),
        ("auth/enable", json!({})),
    ] {
        let _done: Value = etcd.post(path, &body).await;
    }
    etcd
}

fn as_ada(etcd: &Etcd, prefix: &str, password: &str) -> EtcdRegistry {
    let password = Secret::new(password.to_owned());
    let builder: EtcdRegistryBuilder = etcd.builder().prefix(prefix).user("ada", password);
    builder.build().expect("the settings are good")
}

fn is_refused<T>(answer: &Result<T, RegistryError>, expected: u16) -> bool {
    matches!(answer, Err(RegistryError::Refused { status, .. }) if *status == expected)
}

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn a_user_does_everything_below_its_prefix_and_nothing_beside_it() {
    let etcd = with_users().await;
    let ada = as_ada(&etcd, "/shop", "lovelace");
    let lease = ada.put(&instance(1), TTL).await.unwrap();
    assert_eq!(
        ada.renew(&lease).await.unwrap(),
        Renewal::Renewed { ttl: TTL }
    );
    let before = ada.fetch(&payment()).await.unwrap();
    assert_eq!(before.instances().len(), 1);
    assert_eq!(ada.services().await.unwrap(), [payment()]);
    ada.remove(&lease).await.unwrap();
    let after = ada.next(&payment(), before.cursor()).await.unwrap();
    assert!(matches!(after, Change::Changed(after) if after.instances().is_empty()));

    let beside = as_ada(&etcd, "/secret", "lovelace");
    assert!(is_refused(&beside.fetch(&payment()).await, 403));
    assert!(is_refused(&beside.put(&instance(1), TTL).await, 403));
}

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn a_wrong_password_or_none_is_refused_and_may_be_tried_again() {
    let etcd = with_users().await;
    let wrong = as_ada(&etcd, "/shop", "byron").fetch(&payment()).await;
    let error = wrong.expect_err("a wrong password was taken");
    assert!(!error.is_permanent(), "{error:?}");
    assert!(
        error.to_string().contains("authentication failed"),
        "{error}"
    );
    assert!(is_refused(
        &etcd.registry("/shop").fetch(&payment()).await,
        401
    ));
}

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn a_token_that_etcd_has_forgotten_is_renewed() {
    let mut etcd = with_users().await;
    let ada = as_ada(&etcd, "/shop", "lovelace");
    let lease = ada.put(&instance(1), TTL).await.unwrap();
    let cursor = ada.fetch(&payment()).await.unwrap().cursor();
    // Tokens live in its memory only.
    etcd.kill();
    etcd.up().await;
    let service = payment();
    let (renewed, listed) = tokio::join!(ada.renew(&lease), ada.fetch(&service));
    assert_eq!(renewed.unwrap(), Renewal::Renewed { ttl: TTL });
    assert_eq!(listed.unwrap().instances().len(), 1);
    etcd.kill();
    etcd.up().await;
    ada.put(&instance(2), TTL).await.unwrap();
    let next = ada.next(&payment(), cursor).await.unwrap();
    assert!(matches!(next, Change::Changed(next) if next.instances().len() == 2));
}
