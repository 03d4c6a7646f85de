//! Asking again only for what is new.

use http::{Request, StatusCode};
use msf_core::{server::Body, testing::TestResponse};
use tokio::time::sleep;

use super::{TTL, instance, server};
use crate::{backend::memory::MemoryRegistry, server::RegistryServer};
use msf_core::testing::TestClient;

async fn ask(client: &TestClient<RegistryServer>, tag: &str) -> TestResponse {
    let request = Request::get("/v1/services/payment").header("if-none-match", tag);
    client.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn who_holds_the_list_is_not_told_again() {
    let (memory, client) = server();
    memory.register_now(&instance(1), TTL).unwrap();
    let first = client.get("/v1/services/payment").await;
    let tag = first.header("etag").expect("it has a tag").to_owned();
    let again = ask(&client, &tag).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    for name in ["etag", "cache-control", "vary"] {
        assert!(first.header(name).is_some(), "{name}");
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert!(again.bytes().is_empty());

    memory.register_now(&instance(2), TTL).unwrap();
    let changed = ask(&client, &tag).await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert_ne!(changed.header("etag"), Some(&*tag));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_vouched_for_otherwise_is_another_one() {
    let client = TestClient::new(RegistryServer::new(MemoryRegistry::new()));
    let mut tags = Vec::new();
    for _ in 0..4 {
        let answer = client.get("/v1/services/payment").await;
        tags.push(answer.header("etag").expect("it has a tag").to_owned());
        sleep(TTL).await;
    }
    tags.dedup();
    let words: Vec<&str> = tags.iter().map(|tag| &tag[tag.len() - 2..]).collect();
    assert_eq!(words, ["p\"", "c\"", "e\""], "{tags:?}");
}
