//! Addresses that may come, and whose address it is behind a proxy.

use http::Method;
use msf_core::{assert_problem, problem::Code};
use msf_gateway::{Route, headers::forwarded::Forwarding};

use super::{builder, request};
use crate::common::{System, get, hello, send, start};

#[tokio::test]
async fn who_comes_from_elsewhere_is_refused_whatever_it_says_about_itself() {
    let system = System::new().with("order", hello).await;
    let gateway = system
        .serve([
            Route::prefix("/inside")
                .to("order")
                .public()
                .allow_ips(["10.0.0.0/8".parse().unwrap()]),
            Route::prefix("/outside")
                .to("order")
                .public()
                .deny_ips(["127.0.0.0/8".parse().unwrap()]),
            Route::prefix("/here")
                .to("order")
                .public()
                .allow_ips(["127.0.0.1".parse().unwrap()]),
        ])
        .await;
    let addr = gateway.addr();
    let lie = request(
        Method::GET,
        "/inside",
        &[
            ("x-forwarded-for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
        ],
    );
    assert_problem!(send(addr, lie).await, Code::Forbidden);
    assert_problem!(get(addr, "/outside").await, Code::Forbidden);
    assert_eq!(get(addr, "/here").await.text(), "hello");
}

#[tokio::test]
async fn the_client_is_the_one_that_a_trusted_proxy_names() {
    let system = System::new().with("order", hello).await;
    let route = Route::prefix("/").to("order").public();
    let route = route.allow_ips(["203.0.113.0/24".parse().unwrap()]);
    let forwarding = Forwarding::default().trust("127.0.0.0/8".parse().unwrap());
    let gateway = builder(&system).route(route).forwarding(forwarding);
    let gateway = start(system.build(gateway).await);
    let ask = |said: &'static str| {
        let request = request(Method::GET, "/", &[("x-forwarded-for", said)]);
        send(gateway.addr(), request)
    };
    assert_eq!(ask("203.0.113.9").await.status(), 200);
    assert_problem!(ask("198.51.100.1").await, Code::Forbidden);
    assert_problem!(ask("203.0.113.9, 198.51.100.1").await, Code::Forbidden);
}
