//! The route table against a search that looks at every route.

use http::Method;
use proptest::prelude::*;

use super::{Found, Table, methods::Methods, table::Pattern};

/// The same question, answered by trying every route.
fn by_trying_all<'a>(
    routes: &'a [(Pattern, Methods)],
    path: &str,
    method: &Method,
) -> Result<usize, Vec<&'a str>> {
    let specificity = |pattern: &Pattern| match pattern {
        Pattern::Exact(exact) => (**exact == *path).then_some(usize::MAX),
        Pattern::Prefix(prefix) => {
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            let rest = path.strip_prefix(prefix)?;
            (rest.is_empty() || rest.starts_with('/')).then_some(prefix.len())
        }
    };
    let exact = |path: &str| {
        let is_it = |(pattern, _): &(Pattern, Methods)| matches!(pattern, Pattern::Exact(it) if **it == *path);
        routes.iter().any(is_it)
    };
    let twin = path
        .strip_suffix('/')
        .map_or_else(|| format!("{path}/"), str::to_owned);
    if exact(&twin) && !exact(path) {
        return Err(Vec::new());
    }
    let best = routes
        .iter()
        .filter_map(|(pattern, _)| specificity(pattern))
        .max();
    let mut allowed = Vec::new();
    for (at, (pattern, methods)) in routes.iter().enumerate() {
        if best.is_some() && specificity(pattern) == best {
            if methods.contains(method) {
                return Ok(at);
            }
            allowed.extend(methods.names());
        }
    }
    allowed.sort_unstable();
    allowed.dedup();
    Err(allowed)
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![Just("a"), Just("b"), Just("ab"), Just("a.b"), Just("")];
    proptest::collection::vec(segment, 0..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn methods() -> impl Strategy<Value = Methods> {
    let method = prop_oneof![Just(Method::GET), Just(Method::POST), Just(Method::DELETE)];
    prop_oneof![
        Just(Methods::All),
        proptest::collection::vec(method, 1..3).prop_map(Methods::only),
    ]
}

fn route() -> impl Strategy<Value = (Pattern, Methods)> {
    (any::<bool>(), path(), methods()).prop_map(|(is_exact, path, methods)| {
        let path = path.into();
        let pattern = if is_exact {
            Pattern::Exact(path)
        } else {
            Pattern::Prefix(path)
        };
        (pattern, methods)
    })
}

proptest! {
    #[test]
    fn it_answers_as_trying_all_routes_does(
        routes in proptest::collection::vec(route(), 0..8),
        path in path(),
        method in prop_oneof![Just(Method::GET), Just(Method::HEAD), Just(Method::POST), Just(Method::PUT)],
    ) {
        let mut table = Table::default();
        for (at, (pattern, methods)) in routes.iter().enumerate() {
            table.insert(pattern, methods.clone(), at);
        }
        let answer = match table.find(&path, &method) {
            Found::Route(at) => Ok(*at),
            Found::MethodNotAllowed { allow } => Err(allow.to_str().unwrap().to_owned()),
            Found::Nothing => Err(String::new()),
        };
        let expected = by_trying_all(&routes, &path, &method).map_err(|names| names.join(", "));
        prop_assert_eq!(answer, expected);
    }
}

#[test]
fn prefixes_end_at_segments() {
    let mut table = Table::default();
    table.prefix("/api/users", None, 1);
    for path in [
        "/api/users",
        "/api/users/",
        "/api/users/7",
        "/api/users/7/a/b/c/d/e",
    ] {
        assert_eq!(table.find(path, &Method::GET), Found::Route(&1), "{path}");
    }
    for path in [
        "/",
        "/api",
        "/api/user",
        "/api/users2",
        "/api/users.json",
        "/v1/api/users",
        "/API/users",
    ] {
        assert_eq!(table.find(path, &Method::GET), Found::Nothing, "{path}");
    }
}

#[test]
fn a_slash_at_the_end_is_no_way_around_an_exact_route() {
    let mut table = Table::default();
    table.prefix("/api", None, "everybody");
    table.exact("/api/admin", None, "admins");
    table.exact("/api/logs/", None, "admins");
    assert_eq!(
        table.find("/api/admin", &Method::GET),
        Found::Route(&"admins")
    );
    assert_eq!(table.find("/api/admin/", &Method::GET), Found::Nothing);
    assert_eq!(
        table.find("/api/logs/", &Method::GET),
        Found::Route(&"admins")
    );
    assert_eq!(table.find("/api/logs", &Method::GET), Found::Nothing);
    assert_eq!(
        table.find("/api/logs/7", &Method::GET),
        Found::Route(&"everybody")
    );

    table.exact("/api/admin/", None, "both");
    assert_eq!(
        table.find("/api/admin/", &Method::GET),
        Found::Route(&"both")
    );
    assert_eq!(
        table.find("/api/admin", &Method::GET),
        Found::Route(&"admins")
    );
}

#[test]
fn the_root_is_the_prefix_of_everything() {
    let mut table = Table::default();
    table.prefix("/", None, "all");
    table.prefix("/api/", None, "api");
    assert_eq!(table.find("/", &Method::GET), Found::Route(&"all"));
    assert_eq!(table.find("/x/y/z", &Method::GET), Found::Route(&"all"));
    assert_eq!(table.find("/api", &Method::GET), Found::Route(&"api"));
    assert_eq!(table.find("/api/x/y", &Method::GET), Found::Route(&"api"));
}

#[test]
fn allow_lists_the_methods_of_the_path_and_get_includes_head() {
    let mut table = Table::default();
    table.prefix("/", None, 0);
    table.exact("/a", Some(&[Method::POST]), 1);
    table.exact("/a", Some(&[Method::GET]), 2);
    assert_eq!(table.find("/a", &Method::HEAD), Found::Route(&2));
    let Found::MethodNotAllowed { allow } = table.find("/a", &Method::DELETE) else {
        panic!("a shorter prefix must not take over");
    };
    assert_eq!(allow, "GET, HEAD, POST");
}

#[test]
fn a_deep_path_costs_no_more_than_the_deepest_prefix() {
    let mut table = Table::default();
    table.prefix("/a/b", None, 1);
    let deep = format!("/a/b{}", "/x".repeat(10_000));
    assert_eq!(table.find(&deep, &Method::GET), Found::Route(&1));
    assert_eq!(table.find(&deep[2..], &Method::GET), Found::Nothing);
}
