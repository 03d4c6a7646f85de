//! The route table against a search that looks at every route.

mod gateway_api;
mod oracle;
mod slashes;

use http::{HeaderMap, HeaderValue, Method};

use super::{
    Answer, CookieMatch, Found, HeaderMatch, InvalidMatch, Lookup, Match, QueryMatch, Shadowed,
    Table, Verdict,
};

fn table(matches: impl IntoIterator<Item = Match>) -> Table<usize> {
    Table::new(matches.into_iter().enumerate().map(|(at, it)| (it, at))).unwrap()
}

fn get(table: &Table<usize>, path: &str) -> Option<usize> {
    table
        .find(&Lookup::new(&Method::GET, path))
        .route()
        .copied()
}

#[test]
fn prefixes_end_at_segments() {
    let table = table([Match::prefix("/api/users")]);
    for path in [
        "/api/users",
        "/api/users/",
        "/api/users/7",
        "/api/users/7/a/b/c/d/e",
    ] {
        assert_eq!(get(&table, path), Some(0), "{path}");
    }
    for path in [
        "/",
        "/api",
        "/api/user",
        "/api/users2",
        "/api/users.json",
        "/v1/api/users",
        "/API/users",
        "*",
        "",
        "api/users",
    ] {
        assert_eq!(get(&table, path), None, "{path}");
    }
}

#[test]
fn the_root_is_the_prefix_of_everything() {
    for all in [
        Match::prefix("/"),
        Match::template("/**"),
        Match::template("/{*rest}"),
    ] {
        let table = table([all, Match::prefix("/api/")]);
        assert_eq!(get(&table, "/"), Some(0));
        assert_eq!(get(&table, "/x/y/z"), Some(0));
        assert_eq!(get(&table, "/api"), Some(1));
        assert_eq!(get(&table, "/api/x/y"), Some(1));
    }
    let root = table([Match::exact("/")]);
    assert_eq!(get(&root, "/"), Some(0));
    assert_eq!(get(&root, "/a"), None);
}

#[test]
fn allow_lists_the_methods_of_the_path_and_get_includes_head() {
    let table = table([
        Match::prefix("/"),
        Match::exact("/a").methods([Method::POST]),
        Match::exact("/a").methods([Method::GET]),
        Match::exact("/a")
            .methods([Method::PATCH])
            .header(HeaderMatch::present("x")),
    ]);
    let found = table.find(&Lookup::new(&Method::HEAD, "/a"));
    assert_eq!(found.route(), Some(&2));
    let allow = |headers: &HeaderMap| {
        let lookup = Lookup::new(&Method::DELETE, "/a").with_headers(headers);
        match table.find(&lookup) {
            Found::MethodNotAllowed { allow } => allow,
            other => panic!("a shorter prefix must not take over: {other:?}"),
        }
    };
    let mut headers = HeaderMap::new();
    assert_eq!(allow(&headers), "GET, HEAD, POST");
    headers.insert("x", HeaderValue::from_static(""));
    assert_eq!(allow(&headers), "GET, HEAD, PATCH, POST");
}

#[test]
fn a_deep_path_costs_no_more_than_the_deepest_route() {
    let table = table([Match::prefix("/a/b"), Match::template("/{x}/{y}/{z}")]);
    let deep = format!("/a/b{}", "/x".repeat(10_000));
    assert_eq!(get(&table, &deep), Some(0));
    assert_eq!(get(&table, &deep[2..]), None);
    let too_long = format!("/a/b{}", "/x".repeat(40_000));
    assert_eq!(get(&table, &too_long), None, "longer than any target");
}

#[test]
fn captures_name_segments_and_the_rest() {
    let table = table([
        Match::template("/files/{volume}/{*path}"),
        Match::template("/a/{x}/b/{y}/**"),
        Match::regex("/v(?<major>[0-9]+)(?<minor>[.][0-9]+)?/x"),
    ]);
    let captures = |path: &str| -> Vec<(String, String)> {
        let Found::Route(_, captures) = table.find(&Lookup::new(&Method::GET, path)) else {
            panic!("{path} is unknown");
        };
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        captures.iter(path).map(owned).collect()
    };
    for (path, expected) in [
        (
            "/files/home/a/b%20c",
            &[("volume", "home"), ("path", "a/b%20c")][..],
        ),
        ("/files/home", &[("volume", "home"), ("path", "")]),
        ("/files/home/", &[("volume", "home"), ("path", "")]),
        ("/a/1/b/2", &[("x", "1"), ("y", "2")]),
        ("/a/1/b/2/c/d", &[("x", "1"), ("y", "2")]),
        ("/v12.3/x", &[("major", "12"), ("minor", ".3")]),
        ("/v12/x", &[("major", "12"), ("minor", "")]),
    ] {
        let expected = expected
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        assert_eq!(captures(path), expected.collect::<Vec<_>>(), "{path}");
    }
}

#[test]
fn regular_expressions_come_last_and_by_their_order() {
    let table = table([
        Match::regex("/[a-z]+/x"),
        Match::regex("/a/.*").order(-1),
        Match::prefix("/b"),
        Match::regex("/.*").host("shop.example"),
    ]);
    assert_eq!(get(&table, "/a/x"), Some(1));
    assert_eq!(get(&table, "/c/x"), Some(0));
    assert_eq!(get(&table, "/b/x"), Some(2));
    assert_eq!(get(&table, "/c/x/y"), None);
    let lookup = Lookup::new(&Method::GET, "/b/x").with_host("shop.example");
    assert_eq!(
        table.find(&lookup).route(),
        Some(&3),
        "the host comes first"
    );
}

#[test]
fn text_that_is_no_ascii_is_taken_as_the_canonical_path_has_it() {
    let table = table([Match::exact("/café"), Match::template("/ä/{id}")]);
    assert_eq!(get(&table, "/caf%C3%A9"), Some(0));
    assert_eq!(get(&table, "/%C3%A4/7"), Some(1));
}

#[test]
fn what_cannot_be_matched_is_told_at_once() {
    let error = |it: Match| {
        let errors = Table::new([(it, ())]).unwrap_err();
        let (_, error) = errors.iter().next().unwrap();
        error.to_string()
    };
    let many: String = (0..9).map(|at| format!("/{{c{at}}}")).collect();
    for (it, expected) in [
        (Match::exact("a"), "not an absolute path"),
        (Match::prefix(""), "not an absolute path"),
        (Match::exact("/a//b"), "empty segment"),
        (Match::exact("//"), "empty segment"),
        (Match::prefix("/a/../b"), "dot segment"),
        (Match::prefix("/a%41"), "malformed percent-encoding"),
        (Match::exact("/a?b"), "must be percent-encoded"),
        (Match::exact("/{id}"), "must be percent-encoded"),
        (Match::exact("/a/*"), "`*`: only"),
        (Match::prefix("/a/**"), "`**`: only"),
        (Match::template("/a/**/b"), "`**`: only"),
        (Match::template("/a/*/{b}"), "`*`: only"),
        (Match::template("/{a}.json"), "`{a}.json` is no capture"),
        (Match::template("/{}"), "`{}` is no capture"),
        (Match::template("/{a b}"), "`{a b}` is no capture"),
        (Match::template("/{*rest}/b"), "is no capture"),
        (Match::template("/{*rest}/**"), "is no capture"),
        (Match::template("/{*rest}/"), "is no capture"),
        (
            Match::template("/{a}/{a}"),
            "two captures have the name `a`",
        ),
        (Match::template(many), "more than 8 captures"),
        (Match::exact("/a".repeat(65)), "more than 64 segments"),
        (Match::regex("/("), "regular expression `/(`"),
        (Match::exact("/a").host("a:80"), "no host"),
        (
            Match::exact("/a").header(HeaderMatch::present("a b")),
            "no name of a header",
        ),
        (
            Match::exact("/a").header(HeaderMatch::regex("a", "[")),
            "regular expression",
        ),
        (
            Match::exact("/a").cookie(CookieMatch::present("a=b")),
            "no name of a cookie",
        ),
    ] {
        let text = it.to_string();
        let told = error(it);
        assert!(told.contains(expected), "{text}: {told}");
    }
    let all_wrong = Match::regex("(").host("").header(HeaderMatch::present(""));
    let errors = Table::new([(all_wrong, ())]).unwrap_err();
    assert_eq!(errors.iter().count(), 3, "{errors}");
    let is_regex = |(_, error): (usize, &InvalidMatch)| matches!(error, InvalidMatch::Regex { .. });
    assert!(errors.iter().any(is_regex));
}

#[test]
fn routes_that_no_request_reaches_are_found() {
    let x = || HeaderMatch::present("x");
    let get = || [Method::GET];
    for (matches, expected) in [
        (vec![Match::exact("/a"), Match::exact("/a")], &[(1, 0)][..]),
        (
            vec![Match::exact("/a"), Match::exact("/a").methods(get())],
            &[],
        ),
        (
            vec![Match::exact("/a"), Match::exact("/a").header(x())],
            &[],
        ),
        (
            vec![Match::exact("/a"), Match::exact("/a").order(-1)],
            &[(0, 1)],
        ),
        (
            vec![Match::prefix("/a"), Match::template("/a/**")],
            &[(1, 0)],
        ),
        (
            vec![Match::template("/{a}/x"), Match::template("/{b}/x")],
            &[(1, 0)],
        ),
        (vec![Match::prefix("/"), Match::regex("/a.*")], &[(1, 0)]),
        (
            vec![Match::prefix("/").methods(get()), Match::regex("/a.*")],
            &[(1, 0)],
        ),
        (
            vec![Match::prefix("/").header(x()), Match::regex("/a.*")],
            &[],
        ),
        (
            vec![Match::prefix("/"), Match::regex("/a.*").host("a.b")],
            &[],
        ),
        (
            vec![
                Match::exact("/a").methods([Method::GET, Method::PUT]),
                Match::exact("/a").methods([Method::POST]),
                Match::exact("/a").methods([Method::PUT, Method::POST]),
                Match::exact("/a").methods([Method::PUT, Method::PATCH]),
            ],
            &[(2, 0)],
        ),
        (
            vec![
                Match::exact("/a")
                    .header(x())
                    .query(QueryMatch::present("q")),
                Match::exact("/a")
                    .query(QueryMatch::present("q"))
                    .header(x()),
            ],
            &[(1, 0)],
        ),
        (
            // A list of methods comes before more headers.
            vec![
                Match::exact("/a").methods(get()),
                Match::exact("/a").header(x()).methods(get()),
                Match::exact("/a").header(x()),
            ],
            &[],
        ),
    ] {
        let texts: Vec<String> = matches.iter().map(Match::to_string).collect();
        let pairs = table(matches).shadowed();
        let pairs: Vec<_> = pairs
            .iter()
            .map(|Shadowed { route, by }| (*route, *by))
            .collect();
        assert_eq!(pairs, expected, "{texts:?}");
    }
}

#[test]
fn an_explanation_tells_what_became_of_every_candidate() {
    let table = table([
        Match::prefix("/").id("all"),
        Match::prefix("/api/users")
            .id("users")
            .methods([Method::GET]),
        Match::prefix("/api/users")
            .id("canary")
            .header(HeaderMatch::exact("x-canary", "1")),
        Match::template("/api/users/{id}")
            .id("user")
            .cookie(CookieMatch::present("beta")),
        Match::template("/api/users/{id}")
            .id("page")
            .query(QueryMatch::present("page")),
        Match::prefix("/other"),
    ]);
    let explanation = table.explain(&Lookup::new(&Method::GET, "/api/users/7"));
    let verdicts: Vec<_> = explanation
        .candidates
        .iter()
        .map(|it| (&*it.id, it.verdict.to_string()))
        .collect();
    let expected = [
        ("page", "query page is not as it wants it"),
        ("user", "cookie beta is not as it wants it"),
        ("users", "takes it"),
        ("canary", "less specific"),
        ("all", "less specific"),
    ];
    assert_eq!(
        verdicts,
        expected.map(|(id, verdict)| (id, verdict.to_owned()))
    );
    assert_eq!(explanation.others, 1);
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["answer"]["id"], "users");
    assert_eq!(json["candidates"][0]["verdict"]["verdict"], "query");

    let refused = table.explain(&Lookup::new(&Method::PUT, "/api/users"));
    assert_eq!(
        refused.answer,
        Answer::MethodNotAllowed {
            allow: "GET, HEAD".into()
        }
    );
    let verdicts = refused.candidates.iter().map(|it| it.verdict.clone());
    assert_eq!(
        verdicts.collect::<Vec<_>>(),
        [
            Verdict::Method,
            Verdict::Header {
                name: "x-canary".into()
            },
            Verdict::LessSpecific,
        ]
    );
}
