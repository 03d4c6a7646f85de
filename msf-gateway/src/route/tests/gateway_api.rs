//! The matching of the Kubernetes Gateway API (`HTTPRoute`, v1), rule by rule.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::{Found, HeaderMatch, Lookup, Match, QueryMatch, table};

/// A request, and the place of the rule that takes it.
type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    Option<usize>,
);

fn check(rules: impl IntoIterator<Item = Match>, cases: &[Case]) {
    let table = table(rules);
    for (method, url, headers, expected) in cases {
        let uri: Uri = url.parse().unwrap();
        let method: Method = method.parse().unwrap();
        let pairs = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_static(value))
        });
        let headers: HeaderMap = pairs.collect();
        let mut lookup = Lookup::new(&method, uri.path()).with_headers(&headers);
        lookup.host = uri.authority().map(http::uri::Authority::as_str);
        lookup.query = uri.query();
        let found = table.find(&lookup);
        assert_eq!(
            found.route().copied(),
            *expected,
            "{method} {url} {headers:?}"
        );
    }
}

#[test]
fn an_exact_path_is_exact() {
    check(
        [
            Match::exact("/one"),
            Match::exact("/two"),
            Match::exact("/TWO"),
        ],
        &[
            ("GET", "http://a/one", &[], Some(0)),
            ("GET", "http://a/two", &[], Some(1)),
            ("GET", "http://a/TWO", &[], Some(2)),
            ("GET", "http://a/", &[], None),
            ("GET", "http://a/one/example", &[], None),
            ("GET", "http://a/two/", &[], None),
            ("GET", "http://a/Two", &[], None),
        ],
    );
}

#[test]
fn exact_comes_before_longer_prefix_comes_before_shorter_in_any_order() {
    let rules = [
        Match::prefix("/match"),
        Match::prefix("/match/prefix/one/"),
        Match::exact("/match/exact"),
        Match::prefix("/"),
        Match::prefix("/match/prefix"),
        Match::exact("/match/exact/one"),
    ];
    check(
        rules,
        &[
            ("GET", "http://a/match/exact/one", &[], Some(5)),
            ("GET", "http://a/match/exact", &[], Some(2)),
            ("GET", "http://a/match/exact/two", &[], Some(0)),
            ("GET", "http://a/match/prefix/one/any", &[], Some(1)),
            ("GET", "http://a/match/prefix/one", &[], Some(1)),
            ("GET", "http://a/match/prefix/two", &[], Some(4)),
            ("GET", "http://a/match/prefixed", &[], Some(0)),
            ("GET", "http://a/matching", &[], Some(3)),
        ],
    );
}

#[test]
fn every_header_must_match_and_more_of_them_win() {
    let rules = [
        Match::prefix("/").header(HeaderMatch::exact("version", "one")),
        Match::prefix("/").header(HeaderMatch::exact("version", "two")),
        Match::prefix("/")
            .header(HeaderMatch::exact("version", "two"))
            .header(HeaderMatch::exact("color", "orange")),
        Match::prefix("/").header(HeaderMatch::regex("color", "blue|green")),
    ];
    check(
        rules,
        &[
            ("GET", "http://a/", &[("version", "one")], Some(0)),
            ("GET", "http://a/", &[("Version", "two")], Some(1)),
            (
                "GET",
                "http://a/x",
                &[("version", "two"), ("color", "orange")],
                Some(2),
            ),
            ("GET", "http://a/", &[("color", "blue")], Some(3)),
            (
                "GET",
                "http://a/",
                &[("color", "blue"), ("version", "one")],
                Some(0),
            ),
            ("GET", "http://a/", &[("color", "orange")], None),
            ("GET", "http://a/", &[("version", "One")], None),
            ("GET", "http://a/", &[], None),
        ],
    );
}

#[test]
fn parameters_of_the_query_match_by_name_and_more_of_them_win() {
    let animal = |name: &str| QueryMatch::exact("animal", name);
    let rules = [
        Match::prefix("/").query(animal("whale")),
        Match::prefix("/").query(animal("dolphin")),
        Match::prefix("/")
            .query(animal("dolphin"))
            .query(QueryMatch::exact("color", "blue")),
        Match::prefix("/path").query(animal("whale")),
        Match::prefix("/")
            .query(animal("whale"))
            .header(HeaderMatch::exact("version", "one")),
    ];
    check(
        rules,
        &[
            ("GET", "http://a/?animal=whale", &[], Some(0)),
            ("GET", "http://a/?animal=dolphin", &[], Some(1)),
            (
                "GET",
                "http://a/?color=blue&animal=dolphin&x=y",
                &[],
                Some(2),
            ),
            ("GET", "http://a/path?animal=whale", &[], Some(3)),
            (
                "GET",
                "http://a/?animal=whale",
                &[("version", "one")],
                Some(4),
            ),
            // A longer path comes before a header.
            (
                "GET",
                "http://a/path?animal=whale",
                &[("version", "one")],
                Some(3),
            ),
            ("GET", "http://a/?animal=whale&animal=dolphin", &[], Some(0)),
            ("GET", "http://a/?animal=%77hale", &[], Some(0)),
            ("GET", "http://a/?animal=whales", &[], None),
            ("GET", "http://a/?Animal=whale", &[], None),
            ("GET", "http://a/", &[], None),
        ],
    );
}

#[test]
fn a_method_comes_before_headers_and_after_the_path() {
    let rules = [
        Match::prefix("/").methods([Method::POST]),
        Match::prefix("/").header(HeaderMatch::exact("version", "two")),
        Match::prefix("/five"),
        Match::prefix("/").methods([Method::PATCH]),
        Match::prefix("/")
            .methods([Method::PUT])
            .header(HeaderMatch::exact("version", "one")),
    ];
    check(
        rules,
        &[
            ("POST", "http://a/", &[], Some(0)),
            ("PATCH", "http://a/", &[("version", "two")], Some(3)),
            ("GET", "http://a/", &[("version", "two")], Some(1)),
            ("PATCH", "http://a/five", &[], Some(2)),
            ("PUT", "http://a/", &[("version", "one")], Some(4)),
            ("PUT", "http://a/", &[("version", "two")], Some(1)),
            ("DELETE", "http://a/", &[], None),
        ],
    );
}

#[test]
fn an_exact_host_comes_before_a_longer_wildcard_before_a_shorter_before_none() {
    let rules = [
        Match::prefix("/"),
        Match::prefix("/").host("*.example.com"),
        Match::prefix("/").host("*.foo.example.com"),
        Match::prefix("/").host("very.specific.com"),
        Match::exact("/path"),
        Match::prefix("/only").host("bar.foo.example.com"),
    ];
    check(
        rules,
        &[
            ("GET", "http://very.specific.com/x", &[], Some(3)),
            ("GET", "http://VERY.specific.com:8080/x", &[], Some(3)),
            ("GET", "http://very.specific.com./x", &[], Some(3)),
            ("GET", "http://a.example.com/x", &[], Some(1)),
            ("GET", "http://a.b.example.com/x", &[], Some(1)),
            ("GET", "http://bar.foo.example.com/x", &[], Some(2)),
            ("GET", "http://bar.foo.example.com/only/x", &[], Some(5)),
            ("GET", "http://example.com/x", &[], Some(0)),
            ("GET", "http://non.matching.com/x", &[], Some(0)),
            ("GET", "http://non.matching.com/path", &[], Some(4)),
            // The host comes before the path.
            ("GET", "http://a.example.com/path", &[], Some(1)),
        ],
    );
}

#[test]
fn of_equals_the_first_wins_unless_an_order_was_given() {
    let rules = || {
        [
            Match::prefix("/a"),
            Match::prefix("/a/"),
            Match::template("/a/**"),
        ]
    };
    check(rules(), &[("GET", "http://a/a", &[], Some(0))]);
    let [first, second, third] = rules();
    check(
        [first, second.order(1), third.order(-1)],
        &[("GET", "http://a/a", &[], Some(2))],
    );
}

/// The requests of the conformance suite's `HTTPRouteMatchingAcrossRoutes`.
#[test]
fn the_suite_agrees_on_matching_across_routes() {
    let header = |version| HeaderMatch::exact("version", version);
    let rules = [
        Match::prefix("/").host("example.com"),
        Match::prefix("/").host("example.net"),
        Match::prefix("/").host("example.com").header(header("one")),
        Match::prefix("/").host("example.net").header(header("one")),
        Match::prefix("/v2").host("example.com"),
        Match::prefix("/").host("example.com").header(header("two")),
    ];
    check(
        rules,
        &[
            ("GET", "http://example.com/", &[], Some(0)),
            ("GET", "http://example.com/example", &[], Some(0)),
            ("GET", "http://example.net/example", &[], Some(1)),
            (
                "GET",
                "http://example.com/example",
                &[("Version", "one")],
                Some(2),
            ),
            ("GET", "http://example.com/v2", &[], Some(4)),
            ("GET", "http://example.net/v2", &[], Some(1)),
            ("GET", "http://example.com/v2/", &[], Some(4)),
            ("GET", "http://example.com/v2/example", &[], Some(4)),
            ("GET", "http://example.com/v2example", &[], Some(0)),
            ("GET", "http://example.com/foo/v2/example", &[], Some(0)),
            ("GET", "http://example.com/", &[("Version", "two")], Some(5)),
        ],
    );
}

/// The requests of the conformance suite's `HTTPRoutePathMatchOrder`.
#[test]
fn the_suite_agrees_on_the_order_of_paths() {
    let rules = [
        Match::exact("/match"),
        Match::exact("/match/exact"),
        Match::exact("/match/exact/one"),
        Match::prefix("/match/"),
        Match::prefix("/match/prefix/"),
        Match::prefix("/match/prefix/one"),
    ];
    check(
        rules,
        &[
            ("GET", "http://a/match/exact/one", &[], Some(2)),
            ("GET", "http://a/match/exact", &[], Some(1)),
            ("GET", "http://a/match", &[], Some(0)),
            ("GET", "http://a/match/prefix/one/any", &[], Some(5)),
            ("GET", "http://a/match/prefix/any", &[], Some(4)),
            ("GET", "http://a/match/any", &[], Some(3)),
        ],
    );
}

/// The requests of the conformance suite's `HTTPRouteHeaderMatching`.
#[test]
fn the_suite_agrees_on_headers() {
    let version = |value| Match::prefix("/").header(HeaderMatch::exact("version", value));
    let color = |value| HeaderMatch::exact("color", value);
    let rules = [
        version("one"),
        version("two"),
        version("two").header(color("orange")),
        Match::prefix("/").header(color("blue")),
        Match::prefix("/").header(color("green")),
        Match::prefix("/").header(color("red")),
        Match::prefix("/").header(color("yellow")),
    ];
    check(
        rules,
        &[
            ("GET", "http://a/", &[("Version", "one")], Some(0)),
            ("GET", "http://a/", &[("Version", "two")], Some(1)),
            (
                "GET",
                "http://a/",
                &[("Version", "two"), ("Color", "orange")],
                Some(2),
            ),
            // As many headers: who was declared first.
            (
                "GET",
                "http://a/",
                &[("Version", "two"), ("Color", "blue")],
                Some(1),
            ),
            ("GET", "http://a/", &[("Color", "orange")], None),
            ("GET", "http://a/", &[("Some-Other-Header", "one")], None),
            ("GET", "http://a/", &[("Color", "blue")], Some(3)),
            ("GET", "http://a/", &[("Color", "green")], Some(4)),
            ("GET", "http://a/", &[("Color", "red")], Some(5)),
            ("GET", "http://a/", &[("Color", "yellow")], Some(6)),
            ("GET", "http://a/", &[("Color", "purple")], None),
        ],
    );
}

/// The requests of the conformance suite's `HTTPRouteMethodMatching`, with one difference: `GET` includes `HEAD`
/// here, as servers have it.
#[test]
fn the_suite_agrees_on_methods() {
    let version = |value| HeaderMatch::exact("version", value);
    let rules = [
        Match::prefix("/").methods([Method::POST]),
        Match::prefix("/").methods([Method::GET]),
        Match::prefix("/path1").methods([Method::GET]),
        Match::prefix("/")
            .methods([Method::PUT])
            .header(version("one")),
        Match::prefix("/path2")
            .methods([Method::POST])
            .header(version("two")),
        Match::prefix("/path3").methods([Method::PATCH]),
        Match::prefix("/path4")
            .methods([Method::DELETE])
            .header(version("three")),
        Match::prefix("/path5"),
        Match::prefix("/").methods([Method::PATCH]),
        Match::prefix("/").header(version("four")),
    ];
    check(
        rules,
        &[
            ("POST", "http://a/", &[], Some(0)),
            ("GET", "http://a/", &[], Some(1)),
            ("HEAD", "http://a/", &[], Some(1)),
            ("GET", "http://a/path1", &[], Some(2)),
            ("PUT", "http://a/", &[("version", "one")], Some(3)),
            ("POST", "http://a/path2", &[("version", "two")], Some(4)),
            ("PATCH", "http://a/path3", &[], Some(5)),
            ("DELETE", "http://a/path4", &[("version", "three")], Some(6)),
            ("PUT", "http://a/", &[], None),
            ("DELETE", "http://a/path4", &[], None),
            ("PATCH", "http://a/path5", &[], Some(7)),
            ("PATCH", "http://a/", &[("version", "four")], Some(8)),
        ],
    );
}

/// The requests of the conformance suite's `HTTPRouteQueryParamMatching`.
#[test]
fn the_suite_agrees_on_the_query() {
    let version = |value| HeaderMatch::exact("version", value);
    let animal = |value| QueryMatch::exact("animal", value);
    let rules = [
        Match::prefix("/").query(animal("whale")),
        Match::prefix("/").query(animal("dolphin")),
        Match::prefix("/")
            .query(animal("dolphin"))
            .query(QueryMatch::exact("color", "blue")),
        Match::prefix("/").query(QueryMatch::exact("ANIMAL", "Whale")),
        Match::prefix("/path1").query(animal("whale")),
        Match::prefix("/")
            .query(animal("whale"))
            .header(version("one")),
        Match::prefix("/path2")
            .query(animal("whale"))
            .header(version("two")),
        Match::prefix("/path3").query(animal("shark")),
        Match::prefix("/path4")
            .query(animal("kraken"))
            .header(version("three")),
        Match::prefix("/path5"),
        Match::prefix("/").query(animal("hydra")),
        Match::prefix("/").header(version("four")),
    ];
    check(
        rules,
        &[
            ("GET", "http://a/?animal=whale", &[], Some(0)),
            ("GET", "http://a/?animal=dolphin", &[], Some(1)),
            ("GET", "http://a/?animal=dolphin&color=blue", &[], Some(2)),
            ("GET", "http://a/?ANIMAL=Whale", &[], Some(3)),
            (
                "GET",
                "http://a/?animal=whale&otherparam=irrelevant",
                &[],
                Some(0),
            ),
            ("GET", "http://a/?animal=dolphin&color=yellow", &[], Some(1)),
            ("GET", "http://a/?color=blue", &[], None),
            ("GET", "http://a/?animal=dog", &[], None),
            ("GET", "http://a/?animal=whaledolphin", &[], None),
            ("GET", "http://a/", &[], None),
            ("GET", "http://a/path1?animal=whale", &[], Some(4)),
            (
                "GET",
                "http://a/?animal=whale",
                &[("version", "one")],
                Some(5),
            ),
            (
                "GET",
                "http://a/path2?animal=whale",
                &[("version", "two")],
                Some(6),
            ),
            ("GET", "http://a/path3?animal=shark", &[], Some(7)),
            (
                "GET",
                "http://a/path4?animal=kraken",
                &[("version", "three")],
                Some(8),
            ),
            ("GET", "http://a/?animal=shark", &[], None),
            ("GET", "http://a/path4?animal=kraken", &[], None),
            ("GET", "http://a/path5?animal=hydra", &[], Some(9)),
            (
                "GET",
                "http://a/?animal=hydra",
                &[("version", "four")],
                Some(11),
            ),
        ],
    );
}

/// Where the API leaves the answer open, or has none, we say 405.
#[test]
fn a_known_path_with_another_method_is_405_and_not_404() {
    let table = table([
        Match::exact("/a").methods([Method::GET]),
        Match::exact("/b")
            .header(HeaderMatch::present("x"))
            .methods([Method::GET]),
    ]);
    let find = |path| table.find(&Lookup::new(&Method::POST, path));
    assert!(matches!(find("/a"), Found::MethodNotAllowed { .. }));
    assert_eq!(find("/b"), Found::Nothing, "more than the method is wrong");
}
