//! The order of the steps, which is the same however a route was written.

use http::Method;
use msf_auth::policy::authenticated;
use msf_core::{assert_problem, problem::Code};
use msf_gateway::{Cors, Key, Maintenance, RateKey, Route};
use msf_resilience::rate_limit::{Quota, RateLimiter};

use super::request;
use crate::common::{System, send};

#[tokio::test]
async fn each_step_comes_before_the_next() {
    let system = System::new();
    let limiter = || {
        RateLimiter::<RateKey>::builder(Quota::per_hour(1))
            .build()
            .unwrap()
    };
    let origin = "https://shop.example";
    let all = |path: &str| {
        Route::prefix(path)
            .to("nobody")
            .policy(authenticated())
            .rate_limit(limiter(), Key::Client)
            .cors(Cors::new().origins([origin]))
    };
    let elsewhere = || ["10.0.0.0/8".parse().unwrap()];
    let gateway = system
        .serve([
            all("/cors")
                .maintenance(Maintenance::new())
                .allow_ips(elsewhere()),
            all("/closed").maintenance(Maintenance::new()),
            all("/limit"),
        ])
        .await;
    let addr = gateway.addr();
    let ask = |method, path| {
        let headers = [("origin", origin), ("access-control-request-method", "GET")];
        send(addr, request(method, path, &headers))
    };
    // A preflight before the addresses, these before maintenance, that before the limit, and that before the token.
    for _ in 0..3 {
        assert_eq!(ask(Method::OPTIONS, "/cors").await.status(), 204);
        assert_eq!(ask(Method::OPTIONS, "/limit").await.status(), 204);
        assert_problem!(ask(Method::GET, "/cors").await, Code::Forbidden);
        assert_problem!(ask(Method::GET, "/closed").await, Code::Unavailable);
    }
    assert_problem!(ask(Method::GET, "/limit").await, Code::Unauthenticated);
    let limited = ask(Method::GET, "/limit").await;
    assert_eq!(limited.header("access-control-allow-origin"), Some(origin));
    assert_problem!(limited, Code::RateLimited);
}
