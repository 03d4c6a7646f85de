//! Where redirects lead, and what a route that answers itself says.

use http::{StatusCode, header::LOCATION};
use proptest::prelude::*;

use super::{DirectResponse, InvalidRedirect, Maintenance, Redirect};
use crate::transform::{Always, InvalidTransform, Values};

fn location(redirect: &Redirect, prefix: Option<&str>, host: Option<&str>) -> Option<String> {
    let checked = redirect.check(prefix, &["id"]).unwrap();
    let values = Values {
        client: None,
        host,
        path: "/shop/7",
        query: Some("x=1"),
        request_id: None,
        route: "/shop/{id}",
        captures: &Always(Some("7")),
    };
    let response = checked.response(&values)?;
    Some(response.headers()[LOCATION].to_str().unwrap().to_owned())
}

#[test]
fn a_redirect_leads_where_it_says() {
    let host = Some("shop.example:8080");
    for (redirect, expected) in [
        (Redirect::https(), "https://shop.example/shop/7?x=1"),
        (
            Redirect::https().port(8443),
            "https://shop.example:8443/shop/7?x=1",
        ),
        (
            Redirect::https().host("www.shop.example"),
            "https://www.shop.example/shop/7?x=1",
        ),
        (Redirect::path("/store/{id}"), "/store/7?x=1"),
        (Redirect::prefix("/store"), "/store/7?x=1"),
        (
            Redirect::prefix("/store").host("b.example"),
            "//b.example:8080/store/7?x=1",
        ),
        (
            Redirect::to("https://b.example/{id}?{query}"),
            "https://b.example/7?x=1",
        ),
        (Redirect::to("https://b.example"), "https://b.example"),
        (Redirect::to("/"), "/"),
        (Redirect::to("/store/{id}"), "/store/7"),
    ] {
        let location = location(&redirect, Some("/shop"), host);
        assert_eq!(location.as_deref(), Some(expected), "{redirect:?}");
    }
    assert_eq!(location(&Redirect::https(), None, None), None);
    let v6 = location(&Redirect::https(), None, Some("[::1]:80"));
    assert_eq!(v6.as_deref(), Some("https://[::1]/shop/7?x=1"));
}

#[test]
fn no_client_chooses_the_host() {
    for target in [
        "{path}",
        "//{id}",
        "/{id}",
        "//b.example",
        "https://{id}",
        "https://{id}.example/",
        "https://b.example{path}",
        "https://b.example:{id}/",
        "javascript:{id}",
        "ftp://b.example/",
        "https:///x",
        "b.example",
        "/\\b.example",
        "",
    ] {
        let error = Redirect::to(target).check(None, &["id"]).unwrap_err();
        assert_eq!(error, InvalidRedirect::Target(target.to_owned()));
    }
}

#[test]
fn a_redirect_that_leads_nowhere_is_an_error() {
    let check = |redirect: Redirect| redirect.check(Some("/shop"), &[]).unwrap_err();
    assert_eq!(check(Redirect::prefix("/shop/")), InvalidRedirect::Loop);
    assert_eq!(
        check(Redirect::https().status(StatusCode::OK)),
        InvalidRedirect::Status(StatusCode::OK)
    );
    assert_eq!(
        check(Redirect::https().scheme("ftp")),
        InvalidRedirect::Scheme("ftp".to_owned())
    );
    for host in ["a b", "a:80", "me@a", "a/b", ""] {
        let error = check(Redirect::https().host(host));
        assert_eq!(error, InvalidRedirect::Host(host.to_owned()));
    }
    let unknown = check(Redirect::path("/{id}"));
    assert_eq!(unknown, InvalidTransform::Unknown("id".to_owned()).into());
}

#[test]
fn maintenance_is_switched_and_lets_its_own_people_in() {
    let closed = Maintenance::new()
        .retry_after(std::time::Duration::from_secs(90))
        .detail("back at noon")
        .except(["10.0.0.0/8".parse().unwrap()]);
    let copy = closed.clone();
    let refused = closed.refuse(Some([192, 0, 2, 1].into())).unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "90");
    assert!(closed.refuse(None).is_some());
    assert!(closed.refuse(Some([10, 1, 2, 3].into())).is_none());
    copy.set(false);
    assert!(closed.refuse(None).is_none());
}

#[test]
fn an_answer_without_a_body_has_none() {
    let valid = |status: StatusCode, text: &str| DirectResponse::text(status, text).is_valid();
    assert!(valid(StatusCode::OK, "x"));
    assert!(valid(StatusCode::NO_CONTENT, ""));
    assert!(!valid(StatusCode::NO_CONTENT, "x"));
    assert!(!valid(StatusCode::NOT_MODIFIED, "x"));
    assert!(!valid(StatusCode::SWITCHING_PROTOCOLS, ""));
}

proptest! {
    #[test]
    fn whatever_the_client_says_it_stays_at_the_host(
        captured in "[a-z./%0-9?#;@:\\\\]{0,12}",
        path in "/[a-z/.@:]{0,12}",
    ) {
        for target in ["/store/{id}", "https://b.example/{id}", "https://b.example{path}", "/x{path}", "{path}"] {
            let Ok(checked) = Redirect::to(target).check(None, &["id"]) else { continue };
            let capture = Always(Some(captured.as_str()));
            let values = Values {
                client: None,
                host: Some("evil.example"),
                path: &path,
                query: None,
                request_id: None,
                route: "/",
                captures: &capture,
            };
            if let Some(response) = checked.response(&values) {
                let location = response.headers()[LOCATION].to_str().unwrap().to_owned();
                let is_here = location.starts_with('/') && !location.starts_with("//");
                prop_assert!(is_here || location.starts_with("https://b.example/"), "{}", location);
            }
        }
    }
}
