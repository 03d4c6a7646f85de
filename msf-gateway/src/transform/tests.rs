//! Values and paths with captures in them, by table and by property.

use http::HeaderMap;
use proptest::prelude::*;

use super::{
    Always, CheckedHeaders, CheckedPath, HeaderTransform, InvalidTransform, PathTransform, Side,
    Template, Values,
};
use crate::path::CanonicalPath;

fn values<'a>(captures: &'a Always<'a>) -> Values<'a> {
    Values {
        client: Some([192, 0, 2, 7].into()),
        host: Some("shop.example:8080"),
        path: "/api/users/7",
        query: Some("x=1"),
        request_id: Some("01J8"),
        route: "/api/users/{id}",
        captures,
    }
}

const NOBODY: Values<'static> = Values {
    client: None,
    host: None,
    path: "/",
    query: None,
    request_id: None,
    route: "/",
    captures: &Always(None),
};

const SEVEN: Always<'static> = Always(Some("7"));

#[test]
fn names_in_braces_are_filled_in() {
    for (text, expected) in [
        ("plain", "plain"),
        ("", ""),
        ("{id}", "7"),
        ("a{id}b", "a7b"),
        ("{{id}}", "{id}"),
        ("{{{id}}}", "{7}"),
        ("{client_ip} {request_id}", "192.0.2.7 01J8"),
        (
            "{host}{path}?{query} {route}",
            "shop.example:8080/api/users/7?x=1 /api/users/{id}",
        ),
    ] {
        let template = Template::parse(text, &["id"]).unwrap();
        assert_eq!(
            template.render(&values(&SEVEN)).as_deref(),
            Some(expected),
            "{text}"
        );
    }
    let template = Template::parse("{client_ip}", &[]).unwrap();
    assert_eq!(template.render(&NOBODY), None);
    assert_eq!(
        Template::parse("{query}", &[])
            .unwrap()
            .render(&NOBODY)
            .unwrap(),
        ""
    );
}

#[test]
fn what_is_no_template_is_an_error() {
    for text in ["{", "}", "a{b", "a}b", "{a{b}", "{{}"] {
        let error = Template::parse(text, &["a", "b"]).unwrap_err();
        let is_expected = matches!(
            error,
            InvalidTransform::Brace(_) | InvalidTransform::Unknown(_)
        );
        assert!(is_expected, "{text}: {error}");
    }
    let unknown = Template::parse("{tenant}", &["id"]).unwrap_err();
    assert_eq!(unknown, InvalidTransform::Unknown("tenant".to_owned()));
}

fn changed(transform: &HeaderTransform, values: &Values<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append("x-old", "1".parse().unwrap());
    headers.append("x-old", "2".parse().unwrap());
    headers.append("x-tag", "client".parse().unwrap());
    let checked = CheckedHeaders::new(transform, Side::Request, &["id"]).unwrap();
    checked.apply(values, &mut headers);
    headers
}

#[test]
fn headers_are_removed_set_and_added() {
    let transform = HeaderTransform::new()
        .add("x-tag", "gateway")
        .add("x-tag", "{id}")
        .set("x-user", "{id}")
        .remove("x-old");
    let headers = changed(&transform, &values(&SEVEN));
    assert!(!headers.contains_key("x-old"));
    assert_eq!(headers["x-user"], "7");
    let tags: Vec<_> = headers.get_all("x-tag").iter().collect();
    assert_eq!(tags, ["client", "gateway", "7"]);
}

#[test]
fn a_header_without_its_value_is_not_the_clients() {
    let transform = HeaderTransform::new().set("x-old", "{client_ip}");
    assert!(!changed(&transform, &NOBODY).contains_key("x-old"));
    let transform = HeaderTransform::new().add("x-tag", "{client_ip}");
    assert_eq!(
        changed(&transform, &NOBODY).get_all("x-tag").iter().count(),
        1
    );
}

#[test]
fn headers_of_the_connection_are_not_changed() {
    for name in [
        "Connection",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "proxy-authorization",
        "host",
        "expect",
    ] {
        let transform = HeaderTransform::new().set(name, "x");
        let error = CheckedHeaders::new(&transform, Side::Request, &[]).unwrap_err();
        assert_eq!(error, InvalidTransform::ReservedHeader(name.to_owned()));
    }
    let remove = HeaderTransform::new().remove("content-length");
    assert!(CheckedHeaders::new(&remove, Side::Response, &[]).is_err());
}

#[test]
fn what_is_no_header_is_an_error() {
    let check = |transform: HeaderTransform| {
        CheckedHeaders::new(&transform, Side::Response, &["id"]).unwrap_err()
    };
    let twice = HeaderTransform::new().set("x-a", "1").remove("X-A");
    assert_eq!(
        check(twice),
        InvalidTransform::HeaderTwice("x-a".to_owned())
    );
    let twice = HeaderTransform::new().set("x-a", "1").add("x-a", "1");
    assert_eq!(
        check(twice),
        InvalidTransform::HeaderTwice("x-a".to_owned())
    );
    for value in ["a\nb", "a\r\n{id}", "\u{0}"] {
        let error = check(HeaderTransform::new().set("x-a", value));
        assert_eq!(error, InvalidTransform::HeaderValue("x-a".to_owned()));
        assert!(!error.to_string().contains(value));
    }
    let error = check(HeaderTransform::new().set("x a", "1"));
    assert_eq!(error, InvalidTransform::HeaderName("x a".to_owned()));
}

fn path(transform: &PathTransform, prefix: &str) -> Result<Option<CheckedPath>, InvalidTransform> {
    CheckedPath::new(transform, Some(prefix), &["id"])
}

fn forwarded(transform: &PathTransform, prefix: &str, path_said: &str) -> Option<String> {
    let checked = path(transform, prefix).unwrap().unwrap();
    let mut values = values(&SEVEN);
    values.path = path_said;
    checked.apply(&values)
}

#[test]
fn a_prefix_is_replaced() {
    for (prefix, by, said, expected) in [
        ("/api/users", "/v2/users", "/api/users/7", "/v2/users/7"),
        ("/api/users", "/v2/users/", "/api/users/7", "/v2/users/7"),
        ("/api/users", "/v2", "/api/users", "/v2"),
        ("/api/users", "/v2", "/api/users/", "/v2/"),
        ("/api/users", "/", "/api/users/7", "/7"),
        ("/api/users", "/", "/api/users", "/"),
        ("", "/v2", "/a", "/v2/a"),
    ] {
        let by = PathTransform::ReplacePrefix(by.to_owned());
        assert_eq!(
            forwarded(&by, prefix, said).as_deref(),
            Some(expected),
            "{prefix} {said}"
        );
    }
}

#[test]
fn a_path_is_rewritten() {
    let to = |text: &str| {
        forwarded(
            &PathTransform::Rewrite(text.to_owned()),
            "/",
            "/api/users/7",
        )
    };
    assert_eq!(to("/x/{id}").as_deref(), Some("/x/7"));
    assert_eq!(to("/x").as_deref(), Some("/x"));
    assert_eq!(to("/v2{path}").as_deref(), Some("/v2/api/users/7"));
}

#[test]
fn a_path_that_would_not_arrive_as_written_is_an_error() {
    for text in [
        "", "x", "/a/../b", "/a//b", "/{id}//", "/a b", "/%2e", "/a?b", "{id}", "/é",
    ] {
        let rewrite = path(&PathTransform::Rewrite(text.to_owned()), "/");
        assert!(rewrite.is_err(), "{text}");
        let replace = path(&PathTransform::ReplacePrefix(text.to_owned()), "/");
        assert!(replace.is_err(), "{text}");
    }
    let replace = PathTransform::ReplacePrefix("/v2".to_owned());
    let exact = CheckedPath::new(&replace, None, &[]).unwrap_err();
    assert_eq!(exact, InvalidTransform::NoPrefix);
}

#[test]
fn captures_make_no_path_of_another_kind() {
    for (text, captured) in [
        ("/a/.{id}", "."),
        ("/a/{id}", ""),
        ("/a/{id}/b", ""),
        ("/a/{id}", ".."),
        ("/a%2{id}", "e"),
        ("/a/{id}", "x?y"),
        ("/a/{id}", "x y"),
        ("/a/{id}", "\\"),
    ] {
        let checked = CheckedPath::new(&PathTransform::Rewrite(text.to_owned()), None, &["id"]);
        let Ok(Some(checked)) = checked else { continue };
        let capture = Always(Some(captured));
        let path = checked.apply(&values(&capture));
        assert!(
            path.is_none() || text == "/a/{id}" && captured.is_empty(),
            "{text} {captured} {path:?}"
        );
    }
}

proptest! {
    #[test]
    fn whatever_is_captured_the_path_is_canonical(captured in "[a-z./%0-9?#;\\\\ ]{0,8}") {
        for text in ["/x/{id}", "/x/{id}/y", "/x.{id}", "/{id}"] {
            let checked = CheckedPath::new(&PathTransform::Rewrite(text.to_owned()), None, &["id"]);
            let checked = checked.unwrap().unwrap();
            let capture = Always(Some(captured.as_str()));
            if let Some(path) = checked.apply(&values(&capture)) {
                prop_assert!(CanonicalPath::parse(&path).unwrap().is_unchanged());
            }
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,24}") {
        if let Ok(template) = Template::parse(&text, &["id"]) {
            let _rendered = template.render(&values(&SEVEN));
        }
        let transform = HeaderTransform::new().set("x-a", &*text);
        let _checked = CheckedHeaders::new(&transform, Side::Request, &["id"]);
    }
}
