//! The whole way: layer, key, limiter, store, server.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

use super::server::Server;
use crate::rate_limit::{
    Quota,
    key::{self, ClientIp},
    shared::{SharedRateLimitLayer, SharedRateLimiter},
};

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn two_instances_limit_a_client_together_and_tell_it_how_much_is_left() {
    let server = Server::start();
    let instance = || {
        let store = server.store().timeout(std::time::Duration::from_secs(10));
        let limiter = SharedRateLimiter::builder(store.build().unwrap(), Quota::per_hour(3))
            .name("api")
            .limit("api-day", Quota::per_hour(7))
            .build()
            .unwrap();
        let source = ClientIp::new(|extensions| extensions.get::<SocketAddr>().copied());
        SharedRateLimitLayer::answering(limiter, key::by_text(source)).layer(service_fn(
            |_: Request<()>| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) },
        ))
    };
    let instances = [instance(), instance()];
    let ask = async |at: usize, peer: &str| {
        let mut request = Request::new(());
        request
            .extensions_mut()
            .insert(peer.parse::<SocketAddr>().unwrap());
        let response = instances[at % 2].clone().oneshot(request).await.unwrap();
        let left = response.headers().get_all("ratelimit").iter();
        let left: Vec<_> = left
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        (response.status().as_u16(), left.join(", "))
    };
    for (at, left) in [(0, "r=2;"), (1, "r=1;"), (2, "r=0;")] {
        let (status, said) = ask(at, "[2001:db8::1]:1").await;
        assert_eq!(status, 200);
        assert!(said.contains(&format!("\"api\";{left}")), "{said}");
        assert!(
            said.contains(&format!("\"api-day\";r={};", 6 - at)),
            "{said}"
        );
    }
    // Another address of the same subscriber, at either instance.
    assert_eq!(ask(0, "[2001:db8::2]:1").await.0, 429);
    assert_eq!(ask(1, "[2001:db8::3]:1").await.0, 429);
    assert_eq!(ask(1, "[2001:db8:0:1::1]:1").await.0, 200);
}
