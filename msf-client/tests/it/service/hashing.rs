//! Calls that are kept together.

use std::{collections::BTreeSet, convert::Infallible};

use http::{Request, Response};
use http_body_util::BodyExt;
use msf_client::{CallHash, Client};
use msf_core::{body::Body, name::ServiceName, testing::TestServer};
use msf_registry::{Balance, Registry, backend::fixed::StaticRegistry};

use crate::callee::get;

#[tokio::test]
async fn calls_of_one_hash_go_to_one_instance_where_the_service_is_balanced_so() {
    let mut callees = Vec::new();
    for number in 0..3_u8 {
        let answer = move |_request: Request<Body>| async move {
            Ok::<_, Infallible>(Response::new(Body::from(number.to_string())))
        };
        callees.push(TestServer::start(tower::service_fn(answer)).await);
    }
    let addrs: Vec<_> = callees.iter().map(TestServer::addr).collect();
    let name = ServiceName::new("payment").unwrap();
    let listed = StaticRegistry::new().addrs(&name, addrs).unwrap();
    let registry = Registry::builder(listed).load_balancing(Balance::Maglev.into());
    let client = Client::builder(registry.build().unwrap()).build().unwrap();
    let payment = client.service("payment").unwrap();
    let mut met = BTreeSet::new();
    for user in 0..12_u8 {
        let mut own = BTreeSet::new();
        for _ in 0..5 {
            let mut request = get("/");
            request.extensions_mut().insert(CallHash::of(&[user]));
            let answer = payment.call(request).await.unwrap().into_body();
            own.insert(answer.collect().await.unwrap().to_bytes());
        }
        assert_eq!(own.len(), 1, "user {user} goes to {own:?}");
        met.extend(own);
    }
    assert!(met.len() > 1, "all go to one");
}
