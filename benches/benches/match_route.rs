//! What it costs to find the route of a request: `cargo bench -p msf-benches --bench match_route`.
//!
//! Tables of 10, 100 and 10,000 routes as an API has them: a prefix and a template per resource, and a login by
//! `POST`. `matchit` is axum's tree, beside which ours also looks at the method, and goes on where a predicate fails:
//! it is given the same templates, and no methods. Medians of rounds in turns, with the paths of all resources asked
//! one after the other, so that a large table is not measured in the caches of a small one.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{cell::Cell, hint::black_box};

use http::{HeaderMap, HeaderValue, Method};
use msf_benches::rounds::{Candidate, measure};
use msf_core::BoxError;
use msf_gateway::route::{Found, HeaderMatch, Lookup, Match, Table};

fn main() -> Result<(), BoxError> {
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, operations) = if is_quick { (5, 2_000) } else { (31, 20_000) };
    println!("{:>8}  {:<44}{:>8}", "routes", "lookup", "ns");
    for routes in [10, 100, 10_000] {
        let resources = routes / 2;
        let ours = ours(resources)?;
        let matchit = matchit(resources)?;
        let headers = HeaderMap::from_iter([(X_CANARY, HeaderValue::from_static("0"))]);
        let paths = |tail: &str| -> Vec<String> {
            let path = |at| format!("/api/resource-{at}{tail}");
            (0..resources).map(path).collect()
        };
        let (below, captured) = (paths("/files/a/b"), paths("/items/7/parts"));
        let unknown = vec!["/nothing/of/the/kind".to_owned()];
        let of_ours = |path: &str| {
            let lookup = Lookup::new(&Method::GET, path).with_headers(&headers);
            matches!(ours.find(&lookup), Found::Route(..))
        };
        let of_matchit = |path: &str| matchit.at(path).is_ok();
        let mut candidates = [
            candidate("prefix", &below, &of_ours),
            candidate("prefix, matchit", &below, &of_matchit),
            candidate("template", &captured, &of_ours),
            candidate("template, matchit", &captured, &of_matchit),
            candidate("unknown", &unknown, &of_ours),
            candidate("unknown, matchit", &unknown, &of_matchit),
        ];
        for it in measure(&mut candidates, rounds, operations) {
            println!("{routes:>8}  {:<44}{:>8.1}", it.name, it.ns);
        }
    }
    Ok(())
}

fn candidate<'a>(
    name: &'static str,
    paths: &'a [String],
    find: &'a dyn Fn(&str) -> bool,
) -> Candidate<'a> {
    let at = Cell::new(0);
    Candidate::new(name, move || {
        // A step that is prime to the number of paths, so that each is asked, and none after its neighbour.
        at.set((at.get() + 7_919) % paths.len());
        black_box(find(black_box(&paths[at.get()])));
    })
}

fn ours(resources: usize) -> Result<Table<usize>, BoxError> {
    let matches = (0..resources).flat_map(|at| {
        let canary = HeaderMatch::exact(X_CANARY.as_str(), "1");
        [
            (Match::prefix(format!("/api/resource-{at}/files")), at),
            (
                Match::template(format!("/api/resource-{at}/items/{{id}}/parts")),
                at,
            ),
            // One in ten has a canary that the request does not ask for.
            (
                Match::prefix(format!("/api/resource-{at}/files")).header(canary),
                at,
            ),
        ]
        .into_iter()
        .take(if at % 10 == 0 { 3 } else { 2 })
    });
    let login = Match::exact("/api/login").methods([Method::POST]);
    Ok(Table::new(matches.chain([(login, 0)]))?)
}

fn matchit(resources: usize) -> Result<matchit::Router<usize>, BoxError> {
    let mut router = matchit::Router::new();
    for at in 0..resources {
        router.insert(format!("/api/resource-{at}/files/{{*rest}}"), at)?;
        router.insert(format!("/api/resource-{at}/items/{{id}}/parts"), at)?;
    }
    router.insert("/api/login", 0)?;
    Ok(router)
}

const X_CANARY: http::HeaderName = http::HeaderName::from_static("x-canary");
