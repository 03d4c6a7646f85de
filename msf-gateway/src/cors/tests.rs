//! Preflights and the headers of answers, by table and by property.

use http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use proptest::prelude::*;

use super::{Checked, Cors, InvalidCors, asked_method};

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let lines = lines.iter();
    lines
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
        .collect()
}

fn checked(cors: &Cors) -> Checked {
    Checked::new(cors, None).unwrap()
}

fn preflight(cors: &Cors, lines: &[(&'static str, &str)]) -> Option<Response<String>> {
    checked(cors).preflight(&headers(lines))
}

/// What an answer without anything says after the gateway has had its say.
fn answered(cors: &Cors, lines: &[(&'static str, &str)]) -> HeaderMap {
    answered_with(cors, lines, HeaderMap::new())
}

fn answered_with(cors: &Cors, lines: &[(&'static str, &str)], mut answer: HeaderMap) -> HeaderMap {
    let checked = checked(cors);
    checked.write(&checked.grant(&headers(lines)), &mut answer);
    answer
}

fn shop() -> Cors {
    Cors::new().origins(["https://shop.example", "https://*.partner.example:8443"])
}

#[test]
fn an_origin_is_one_origin_and_not_what_looks_like_it() {
    for (origin, expected) in [
        ("https://shop.example", true),
        ("https://a.partner.example:8443", true),
        ("https://a.b.partner.example:8443", true),
        ("http://shop.example", false),
        ("https://shop.example:8443", false),
        ("https://shop.example.evil.example", false),
        ("https://evil-shop.example", false),
        ("https://www.shop.example", false),
        ("https://shop.example/", false),
        ("HTTPS://SHOP.EXAMPLE", false),
        ("https://partner.example:8443", false),
        ("https://.partner.example:8443", false),
        ("https://a.partner.example", false),
        ("https://evil.example/.partner.example:8443", false),
        ("https://evil.example?.partner.example:8443", false),
        ("https://me@x.partner.example:8443", false),
        ("https://a..partner.example:8443", false),
        ("null", false),
        ("", false),
    ] {
        let answer = answered(&shop(), &[("origin", origin)]);
        let granted = answer.get("access-control-allow-origin");
        assert_eq!(granted.is_some(), expected, "{origin}");
        assert!(granted.is_none_or(|granted| granted == origin));
        assert_eq!(answer["vary"], "origin", "{origin}");
    }
}

#[test]
fn two_origins_are_none() {
    let mut said = headers(&[("origin", "https://shop.example")]);
    said.append("origin", "https://evil.example".parse().unwrap());
    let checked = checked(&shop());
    let mut answer = HeaderMap::new();
    checked.write(&checked.grant(&said), &mut answer);
    assert!(!answer.contains_key("access-control-allow-origin"));
}

#[test]
fn any_origin_is_a_star_and_has_no_credentials() {
    let any = Cors::new().any_origin();
    let answer = answered(&any, &[("origin", "https://anybody.example")]);
    assert_eq!(answer["access-control-allow-origin"], "*");
    assert!(!answer.contains_key("vary"));
    assert!(!answer.contains_key("access-control-allow-credentials"));
    let both = Checked::new(&any.credentials(), None).unwrap_err();
    assert_eq!(both, InvalidCors::CredentialsForAll);
}

#[test]
fn there_is_one_opinion_and_caches_keep_origins_apart() {
    let mut answer = HeaderMap::new();
    answer.insert("access-control-allow-origin", "*".parse().unwrap());
    answer.insert("access-control-expose-headers", "x-inside".parse().unwrap());
    answer.insert("vary", "accept-encoding".parse().unwrap());
    let cors = shop().credentials().expose(["x-total"]);
    let answer = answered_with(&cors, &[("origin", "https://shop.example")], answer);
    assert_eq!(
        answer["access-control-allow-origin"],
        "https://shop.example"
    );
    assert_eq!(answer["access-control-allow-credentials"], "true");
    assert_eq!(answer["access-control-expose-headers"], "x-total");
    let vary: Vec<_> = answer.get_all("vary").iter().collect();
    assert_eq!(vary, ["accept-encoding", "origin"]);

    for said in ["Origin, accept", "*"] {
        let mut answer = HeaderMap::new();
        answer.insert("vary", said.parse().unwrap());
        let answer = answered_with(&shop(), &[], answer);
        assert_eq!(answer.get_all("vary").iter().count(), 1, "{said}");
    }
}

#[test]
fn a_preflight_is_answered_with_what_is_allowed() {
    let cors = shop()
        .methods([Method::GET, Method::PUT])
        .headers(["content-type", "x-tenant"])
        .credentials();
    let asked = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type"),
    ];
    let answer = preflight(&cors, &asked).unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let told = answer.headers();
    assert_eq!(told["access-control-allow-origin"], "https://shop.example");
    assert_eq!(told["access-control-allow-methods"], "GET, PUT");
    assert_eq!(
        told["access-control-allow-headers"],
        "content-type, x-tenant"
    );
    assert_eq!(told["access-control-allow-credentials"], "true");
    assert_eq!(told["access-control-max-age"], "600");
    assert!(told["vary"].to_str().unwrap().starts_with("origin"));
}

#[test]
fn a_preflight_for_more_than_is_allowed_is_refused() {
    let cors = shop().methods([Method::PUT]);
    let ask = |origin: &str, method: &str| {
        let asked = [
            ("origin", origin),
            ("access-control-request-method", method),
        ];
        preflight(&cors, &asked).is_some()
    };
    assert!(ask("https://shop.example", "PUT"));
    assert!(
        ask("https://shop.example", "POST"),
        "what any page may send"
    );
    assert!(!ask("https://shop.example", "DELETE"));
    assert!(!ask("https://shop.example", "put"), "methods have a case");
    assert!(!ask("https://evil.example", "PUT"));
}

#[test]
fn the_methods_of_the_route_are_the_default() {
    let checked = Checked::new(&shop(), Some(&[Method::DELETE])).unwrap();
    let asked = headers(&[
        ("origin", "https://shop.example"),
        ("access-control-request-method", "DELETE"),
    ]);
    let answer = checked.preflight::<String>(&asked).unwrap();
    assert_eq!(answer.headers()["access-control-allow-methods"], "DELETE");
}

#[test]
fn any_header_is_sent_back_only_if_it_is_a_list_of_names() {
    let cors = Cors::new().any_origin().any_header();
    for (said, expected) in [
        ("x-a, X-B", Some("x-a, X-B")),
        ("x-a", Some("x-a")),
        ("x a", None),
        ("x-a,,x-b", None),
        ("", None),
    ] {
        let asked = [
            ("origin", "https://anybody.example"),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", said),
        ];
        let answer = preflight(&cors, &asked);
        let told = answer.as_ref().map(|answer| {
            answer.headers()["access-control-allow-headers"]
                .to_str()
                .unwrap()
        });
        assert_eq!(told, expected, "{said:?}");
    }
}

#[test]
fn only_an_announcement_with_an_origin_is_a_preflight() {
    let is_one = |lines: &[_]| asked_method(&headers(lines)).is_some();
    let origin = ("origin", "https://shop.example");
    assert!(is_one(&[origin, ("access-control-request-method", "PUT")]));
    assert!(!is_one(&[origin]));
    assert!(!is_one(&[("access-control-request-method", "PUT")]));
    assert!(!is_one(&[origin, ("access-control-request-method", "P T")]));
}

#[test]
fn what_is_no_origin_is_an_error() {
    for text in [
        "",
        "null",
        "*",
        "shop.example",
        "https://shop.example/",
        "https://shop.example/path",
        "https://*",
        "https://*.",
        "https://*shop.example",
        "https://a.*.example",
        "https://me@shop.example",
        "https://shop.example:x",
        "https://shop.example:+1",
        "https://shop.example:99999",
        "https://",
        "://shop.example",
        "1https://shop.example",
    ] {
        let invalid = Checked::new(&Cors::new().origins([text]), None).unwrap_err();
        assert_eq!(invalid, InvalidCors::Origin(text.to_owned()));
    }
    for text in [
        "https://SHOP.example:443",
        "http://[::1]:8080",
        "http://localhost:3000",
        "capacitor://localhost",
    ] {
        assert!(
            Checked::new(&Cors::new().origins([text]), None).is_ok(),
            "{text}"
        );
    }
    let nobody = Checked::new(&Cors::new(), None).unwrap_err();
    assert_eq!(nobody, InvalidCors::NoOrigins);
    let no_name = Checked::new(&shop().headers(["a b"]), None).unwrap_err();
    assert_eq!(no_name, InvalidCors::Header("a b".to_owned()));
}

proptest! {
    #[test]
    fn whatever_is_said_only_a_listed_origin_is_granted(
        scheme in "(https?|null|HTTPS)",
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("shop"), Just("partner"), Just("example"), Just("."), Just(":8443"), Just("/"),
                Just("@"), Just("evil"), Just("#"), Just(","), Just(" "), Just("\\"),
            ],
            0..8,
        ),
    ) {
        let said = format!("{scheme}://{}", pieces.concat());
        let answer = answered(&shop().credentials(), &[("origin", said.as_str())]);
        if answer.contains_key("access-control-allow-origin") {
            let below = said
                .strip_prefix("https://")
                .and_then(|rest| rest.strip_suffix(".partner.example:8443"));
            let is_label = |label: &str| !label.is_empty() && label.bytes().all(|it| it.is_ascii_alphanumeric());
            prop_assert!(
                said == "https://shop.example" || below.is_some_and(|below| below.split('.').all(is_label)),
                "{}", said
            );
        }
    }
}
