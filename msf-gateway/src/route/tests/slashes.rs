//! A slash more or less, and a method, are no ways around a route.

use http::{HeaderMap, HeaderValue, Method};

use super::{Found, HeaderMatch, Lookup, Match, get, table};

#[test]
fn a_slash_at_the_end_is_no_way_around_a_path_that_ends() {
    let open = table([
        Match::prefix("/api"),
        Match::exact("/api/admin"),
        Match::exact("/api/logs/"),
        Match::template("/api/users/{id}"),
        Match::template("/api/teams/{id}/"),
    ]);
    for (path, expected) in [
        ("/api/admin", Some(1)),
        ("/api/admin/", None),
        ("/api/admin/x", Some(0)),
        ("/api/logs/", Some(2)),
        ("/api/logs", None),
        ("/api/logs/7", Some(0)),
        ("/api/users/7", Some(3)),
        ("/api/users/7/", None),
        ("/api/users/7/x", Some(0)),
        ("/api/users/", Some(0)),
        ("/api/teams/7/", Some(4)),
        ("/api/teams/7", None),
    ] {
        assert_eq!(get(&open, path), expected, "{path}");
    }
}

#[test]
fn both_ends_may_have_a_route() {
    let table = table([
        Match::prefix("/api"),
        Match::exact("/api/admin"),
        Match::exact("/api/admin/"),
    ]);
    assert_eq!(get(&table, "/api/admin/"), Some(2));
    assert_eq!(get(&table, "/api/admin"), Some(1));
}

#[test]
fn a_template_does_not_take_what_an_exact_path_keeps() {
    let table = table([Match::template("/{page}/"), Match::exact("/admin")]);
    assert_eq!(get(&table, "/about/"), Some(0));
    assert_eq!(get(&table, "/admin"), Some(1));
    assert_eq!(get(&table, "/admin/"), None);
}

#[test]
fn regular_expressions_keep_their_slashes_too() {
    let table = table([Match::regex("/admin/[a-z]+").order(-1), Match::regex("/.*")]);
    assert_eq!(get(&table, "/admin/users"), Some(0));
    assert_eq!(get(&table, "/admin/users/"), None);
    assert_eq!(get(&table, "/admin/users/7"), Some(1));
    let host = super::table([
        Match::regex("/admin/?").host("a.example"),
        Match::prefix("/"),
    ]);
    let find = |path| {
        let lookup = Lookup::new(&Method::GET, path).with_host("a.example");
        host.find(&lookup).route().copied()
    };
    assert_eq!(find("/admin/"), Some(0));
    assert_eq!(find("/admin"), Some(0));
    assert_eq!(find("/admins"), Some(1));

    // Several are asked at once first.
    let host = super::table([
        Match::regex("/admin/[a-z]+").host("a.example"),
        Match::regex("/x/").host("a.example"),
        Match::prefix("/"),
    ]);
    let find = |path| {
        let lookup = Lookup::new(&Method::GET, path).with_host("a.example");
        host.find(&lookup).route().copied()
    };
    for (path, expected) in [
        ("/admin/a", Some(0)),
        ("/admin/a/", None),
        ("/x/", Some(1)),
        ("/x", None),
        ("/y", Some(2)),
    ] {
        assert_eq!(find(path), expected, "{path}");
    }
}

#[test]
fn a_slash_passes_where_the_route_itself_would_let_it_pass() {
    let table = table([
        Match::prefix("/api"),
        Match::exact("/api/beta").header(HeaderMatch::present("x-beta")),
        Match::exact("/api/host").host("a.example"),
    ]);
    assert_eq!(get(&table, "/api/beta"), Some(0));
    assert_eq!(get(&table, "/api/beta/"), Some(0));
    let mut headers = HeaderMap::new();
    headers.insert("x-beta", HeaderValue::from_static("1"));
    let lookup = Lookup::new(&Method::GET, "/api/beta/").with_headers(&headers);
    assert_eq!(table.find(&lookup), Found::Nothing);

    assert_eq!(get(&table, "/api/host/"), Some(0));
    let lookup = Lookup::new(&Method::GET, "/api/host/").with_host("a.example");
    assert_eq!(table.find(&lookup), Found::Nothing);
}

#[test]
fn the_method_alone_never_leads_to_a_less_specific_route() {
    let table = table([
        Match::prefix("/"),
        Match::exact("/login").methods([Method::POST]),
        Match::template("/users/{id}").methods([Method::GET]),
        Match::prefix("/host")
            .host("*.example")
            .methods([Method::GET]),
        Match::regex("/v[0-9]").methods([Method::GET]),
    ]);
    let find = |method: Method, path, host| {
        table
            .find(&Lookup::new(&method, path).with_host(host))
            .route()
            .copied()
    };
    assert_eq!(find(Method::POST, "/login", ""), Some(1));
    assert_eq!(find(Method::GET, "/login", ""), None);
    assert_eq!(find(Method::PUT, "/users/7", ""), None);
    assert_eq!(find(Method::PUT, "/host", "a.example"), None);
    assert_eq!(find(Method::PUT, "/host", "b"), Some(0));
}
