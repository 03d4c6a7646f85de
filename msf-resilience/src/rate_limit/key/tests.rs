//! What callers may send, and what it must not change.

use std::net::{IpAddr, SocketAddr};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use msf_core::forwarded::TrustedProxies;
use proptest::prelude::*;

use super::*;

fn connection(peer: &str) -> Extensions {
    let mut extensions = Extensions::new();
    extensions.insert(peer.parse::<SocketAddr>().unwrap());
    extensions
}

fn source() -> ClientIp {
    ClientIp::new(|extensions| extensions.get().copied())
}

fn behind_proxies() -> ClientIp {
    source().behind(TrustedProxies::none().trust("10.0.0.0/8".parse().unwrap()))
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn saying(name: &'static str, value: &str) -> HeaderMap {
    let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
    HeaderMap::from_iter([(HeaderName::from_static(name), value)])
}

#[test]
fn an_ipv6_client_is_its_64_bits_and_an_ipv4_client_all_of_its_own() {
    let none = HeaderMap::new();
    let key = |peer| source().key(&none, &connection(peer));
    assert_eq!(key("[2001:db8:1:2:3:4:5:6]:80"), ip("2001:db8:1:2::"));
    assert_eq!(key("[2001:db8:1:2:ffff::1]:81"), ip("2001:db8:1:2::"));
    assert_eq!(key("[2001:db8:1:3::1]:80"), ip("2001:db8:1:3::"));
    assert_eq!(key("192.0.2.1:80"), ip("192.0.2.1"));
    assert_eq!(key("[::ffff:192.0.2.1]:80"), ip("192.0.2.1"));
    assert_eq!(source().key(&none, &Extensions::new()), None);
}

#[test]
fn prefixes_have_a_range() {
    let none = HeaderMap::new();
    let wide = source().ipv6_prefix(48).unwrap().ipv4_prefix(24).unwrap();
    let key = |peer| wide.key(&none, &connection(peer));
    assert_eq!(key("[2001:db8:1:2::1]:80"), ip("2001:db8:1::"));
    assert_eq!(key("192.0.2.1:80"), ip("192.0.2.0"));
    let exact = source().ipv6_prefix(128).unwrap();
    assert_eq!(
        exact.key(&none, &connection("[2001:db8::1]:80")),
        ip("2001:db8::1")
    );

    for bits in [0, 15, 129, 255] {
        assert_eq!(source().ipv6_prefix(bits).unwrap_err().bits, bits);
    }
    let error = source().ipv4_prefix(33).unwrap_err().to_string();
    assert_eq!(
        error,
        "the prefix of IPv4 keys must be 8 to 32 bits, not 33"
    );
}

#[test]
fn a_stranger_cannot_choose_its_key() {
    let headers = saying("x-forwarded-for", "198.51.100.7");
    let key = behind_proxies().key(&headers, &connection("203.0.113.9:1"));
    assert_eq!(key, ip("203.0.113.9"));
}

#[test]
fn a_proxy_that_says_nonsense_is_the_client_itself() {
    for nonsense in ["", ",", "unknown", "1.2.3", "\u{e9}", &"9".repeat(100_000)] {
        let headers = saying("x-forwarded-for", nonsense);
        let key = behind_proxies().key(&headers, &connection("10.0.0.1:1"));
        assert_eq!(key, ip("10.0.0.1"), "{nonsense:.20}");
    }
}

#[test]
fn a_header_of_any_length_makes_a_short_key() {
    let long = "a".repeat(1_000_000);
    let headers = saying("x-tenant", &long);
    let tenant = TextHeader::new(HeaderName::from_static("x-tenant")).unwrap();
    let key = tenant.key(&headers, &Extensions::new()).unwrap();
    assert_eq!(key.as_str().len(), 33);
    let other = saying("x-tenant", &(long + "b"));
    assert_ne!(tenant.key(&other, &Extensions::new()), Some(key));

    // The longest that is taken as it is, and what is no text.
    let most = "a".repeat(63);
    let key = tenant.key(&saying("x-tenant", &most), &Extensions::new());
    assert_eq!(key.unwrap().as_str(), most);
    let mut headers = HeaderMap::new();
    headers.insert("x-tenant", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
    let key = tenant.key(&headers, &Extensions::new()).unwrap();
    assert!(key.as_str().starts_with('#'), "{key}");
}

#[test]
fn a_secret_is_neither_kept_nor_shown() {
    let hashed = HashedHeader::new(header::AUTHORIZATION, HashKey::random());
    let headers = saying("authorization", "Bearer s3cret");
    let key = hashed.key(&headers, &Extensions::new()).unwrap();
    for shown in [format!("{key:?}"), key.to_string(), format!("{hashed:?}")] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    for name in ["authorization", "cookie", "x-api-key", "x-auth-token"] {
        let name = HeaderName::from_static(name);
        assert_eq!(
            TextHeader::new(name.clone()).unwrap_err(),
            SecretHeader(name)
        );
    }
    let mut headers = saying("x-tenant", "s3cret");
    headers.get_mut("x-tenant").unwrap().set_sensitive(true);
    let tenant = TextHeader::new(HeaderName::from_static("x-tenant")).unwrap();
    let key = tenant.key(&headers, &Extensions::new()).unwrap();
    assert!(key.as_str().starts_with('#'), "{key}");
}

#[test]
fn instances_with_one_secret_have_one_hash() {
    let secret = b"0123456789abcdef";
    let [one, two] = [(); 2].map(|()| HashKey::from_secret(secret).unwrap());
    assert_eq!(one.hash(b"k"), two.hash(b"k"));
    assert_ne!(one.hash(b"k"), one.hash(b"l"));
    assert_eq!(
        HashKey::from_secret(b"short").unwrap_err(),
        InvalidHashKey(5)
    );
    assert_ne!(HashKey::random().hash(b"k"), HashKey::random().hash(b"k"));
}

/// The first vector of the reference implementation: key 00..0f, no input.
#[test]
fn the_hash_is_siphash_2_4_with_128_bits() {
    let key: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let hash = siphasher::sip128::SipHasher24::new_with_key(&key).hash(b"");
    let expected = 0x930255c71472f66de6a825ba047f81a3_u128;
    assert_eq!(u128::from_be_bytes(hash.as_bytes()).swap_bytes(), expected);
}

#[test]
fn several_sources_are_one_or_all() {
    let tenant = || TextHeader::new(HeaderName::from_static("x-tenant")).unwrap();
    let both = (tenant(), source());
    let peer = connection("192.0.2.1:1");
    assert_eq!(both.key(&HeaderMap::new(), &peer), None);
    let key = both.key(&saying("x-tenant", "acme"), &peer);
    assert_eq!(key, Some((Text::from("acme"), ip("192.0.2.1").unwrap())));

    let either = tenant().or(source());
    let key = either.key(&HeaderMap::new(), &peer).unwrap();
    assert_eq!(key.to_string(), "2:192.0.2.1");
    // A tenant that calls itself by an address is not that address.
    let key = either.key(&saying("x-tenant", "192.0.2.1"), &peer).unwrap();
    assert_eq!(key.to_string(), "1:192.0.2.1");
}

proptest! {
    #[test]
    fn a_text_is_equal_to_another_exactly_if_it_says_the_same(
        one in "[a-c]{0,3}|[a-b]{62,65}", two in "[a-c]{0,3}|[a-b]{62,65}"
    ) {
        prop_assert_eq!(Text::from(one.as_str()) == Text::from(two.as_str()), one == two);
    }

    #[test]
    fn no_client_gets_out_of_its_key(lies in "[ -~]{0,60}", client: u32) {
        let client = IpAddr::from(client.to_be_bytes());
        prop_assume!(!matches!(client, IpAddr::V4(v4) if v4.octets()[0] == 10));
        let headers = saying("x-forwarded-for", &format!("{lies},{client}"));
        let key = behind_proxies().key(&headers, &connection("10.1.1.1:1"));
        prop_assert_eq!(key, Some(client));
    }
}
