//! Sources of keys, in a stack and on the hot path.

use std::net::SocketAddr;

use http::{HeaderName, HeaderValue, Request};
use msf_core::{forwarded::TrustedProxies, route::MatchedRoute, testing::allocations};
use msf_resilience::rate_limit::key::{self, ClientIp, HashKey, HashedHeader, Route, TextHeader};

#[test]
fn finding_out_whose_request_it_is_allocates_nothing() {
    let tenant = TextHeader::new(HeaderName::from_static("x-tenant")).unwrap();
    let api_key = HashedHeader::new(HeaderName::from_static("x-api-key"), HashKey::random());
    let proxies = TrustedProxies::none().trust("10.0.0.0/8".parse().unwrap());
    let client = ClientIp::new(|extensions| extensions.get::<SocketAddr>().copied());
    let sources = (api_key, tenant, client.behind(proxies), Route::default());

    let mut request = Request::builder()
        .header("x-tenant", "acme")
        .header("x-api-key", "s3cret")
        .header("x-forwarded-for", "6.6.6.6, 2001:db8::1, 10.0.0.2")
        .body(())
        .unwrap();
    request
        .extensions_mut()
        .insert(SocketAddr::from(([10, 0, 0, 1], 80)));
    request
        .extensions_mut()
        .insert(MatchedRoute::new("/orders/{id}"));
    let key_of = key::by(sources);
    let made = allocations(|| assert!(key_of(&request).is_some()));
    assert_eq!(made.count, 0);

    // Nor do a value and an element of absurd lengths.
    let long = HeaderValue::from_bytes(&[b'x'; 100_000]).unwrap();
    for name in ["x-tenant", "x-api-key", "x-forwarded-for"] {
        request.headers_mut().insert(name, long.clone());
    }
    let made = allocations(|| assert!(key_of(&request).is_some()));
    assert_eq!(made.count, 0);
}
