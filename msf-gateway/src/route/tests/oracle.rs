//! Every route is tried, all that take the request are sorted by what the documentation says, and the first one
//! decides.

use std::cmp::Reverse;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header::COOKIE};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    super::methods::{Methods, allow},
    Answer, CookieMatch, Found, HeaderMatch, Lookup, Match, QueryMatch, Table,
};

/// A route in parts that need no parser.
#[derive(Clone, Debug)]
struct Rule {
    host: Option<&'static str>,
    path: Path,
    methods: Methods,
    headers: Vec<(&'static str, bool)>,
    query: Vec<&'static str>,
    cookies: Vec<&'static str>,
    order: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Path {
    Segments(Vec<Option<&'static str>>, End),
    Regex(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Slash,
    Open,
    Rest,
}

#[derive(Clone, Debug)]
struct Asked {
    host: Option<&'static str>,
    path: String,
    method: Method,
    headers: Vec<&'static str>,
    query: String,
    cookies: Vec<&'static str>,
}

impl Rule {
    fn to_match(&self) -> Match {
        let rule = match &self.path {
            Path::Regex(text) => Match::regex(*text),
            Path::Segments(segments, end) => {
                let mut text = String::new();
                for (at, segment) in segments.iter().enumerate() {
                    text.push('/');
                    match segment {
                        Some(literal) => text.push_str(literal),
                        None => text.push_str(&format!("{{c{at}}}")),
                    }
                }
                text.push_str(match end {
                    End::Closed => "",
                    End::Slash => "/",
                    End::Open => "/**",
                    End::Rest => "/{*rest}",
                });
                Match::template(text)
            }
        };
        let mut rule = match self.host {
            Some(host) => rule.host(host),
            None => rule,
        };
        rule.methods = self.methods.clone();
        for (name, is_wanted) in &self.headers {
            rule = rule.header(match is_wanted {
                true => HeaderMatch::present(*name),
                false => HeaderMatch::absent(*name),
            });
        }
        for name in &self.query {
            rule = rule.query(QueryMatch::exact(*name, "1"));
        }
        for name in &self.cookies {
            rule = rule.cookie(CookieMatch::prefix(*name, "1"));
        }
        rule.order(self.order)
    }

    /// 0 for the exact host, then wildcards by their length, then none.
    fn host_rank(&self, asked: Option<&str>) -> Option<usize> {
        let Some(own) = self.host else {
            return Some(usize::MAX);
        };
        let asked = asked?;
        match own.strip_prefix('*') {
            None => (own == asked).then_some(0),
            Some(suffix) => {
                let is_below = asked.ends_with(suffix) && asked.len() > suffix.len();
                is_below.then_some(1_000 - suffix.len())
            }
        }
    }

    /// How specific the path is, smaller first; and whether only its twin is taken.
    fn path_rank(&self, path: &str, rules: &[Self]) -> Option<(Vec<i64>, bool)> {
        match &self.path {
            Path::Regex(text) => {
                let regex = regex::Regex::new(&format!("^(?:{text})$")).unwrap();
                let twin = match path.strip_suffix('/') {
                    Some(twin) => twin.to_owned(),
                    None => format!("{path}/"),
                };
                let is_twin = !regex.is_match(path);
                if is_twin && !regex.is_match(&twin) {
                    return None;
                }
                let alike = |it: &&(usize, &Self)| it.1.path == self.path && it.1.host == self.host;
                let all: Vec<(usize, &Self)> = rules.iter().enumerate().collect();
                let first = all
                    .iter()
                    .filter(alike)
                    .map(|(at, it)| (it.order, *at))
                    .min();
                let (order, at) = first.unwrap();
                Some((vec![9, order.into(), i64::try_from(at).unwrap()], is_twin))
            }
            Path::Segments(own, end) => {
                let (path, has_slash) = match path.strip_suffix('/') {
                    Some(path) => (path, true),
                    None => (path, false),
                };
                let segments: Vec<&str> = path.split('/').skip(1).collect();
                let fits = |(own, it): (&Option<&str>, &&str)| own.is_none_or(|own| own == *it);
                if segments.len() < own.len() || !own.iter().zip(&segments).all(fits) {
                    return None;
                }
                let last = match end {
                    End::Open | End::Rest => 3,
                    _ if segments.len() > own.len() => return None,
                    End::Closed if has_slash => 2,
                    End::Slash if !has_slash => 2,
                    End::Closed | End::Slash => 0,
                };
                let mut rank: Vec<i64> = own.iter().map(|it| i64::from(it.is_none())).collect();
                rank.push(last);
                Some((rank, last == 2))
            }
        }
    }

    fn predicates_hold(&self, asked: &Asked) -> bool {
        let header = |(name, is_wanted): &(&str, bool)| asked.headers.contains(name) == *is_wanted;
        let parameter = |name: &&str| {
            asked
                .query
                .split('&')
                .any(|pair| pair == format!("{name}=1"))
        };
        self.headers.iter().all(header)
            && self.query.iter().all(parameter)
            && self.cookies.iter().all(|name| asked.cookies.contains(name))
    }

    fn is_open(&self) -> bool {
        matches!(self.path, Path::Segments(_, End::Open | End::Rest))
    }

    fn captured(&self, path: &str) -> Vec<String> {
        let Path::Segments(own, end) = &self.path else {
            return Vec::new();
        };
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let pairs = own.iter().zip(&segments);
        let captured = pairs
            .filter(|(own, _)| own.is_none())
            .map(|(_, it)| (*it).to_owned());
        let rest = segments.get(own.len()..).unwrap_or_default().join("/");
        captured
            .chain((*end == End::Rest).then_some(rest))
            .collect()
    }
}

/// The place of the route that takes it, or the methods of the path.
fn by_trying_all(rules: &[Rule], asked: &Asked) -> Result<usize, String> {
    let mut candidates: Vec<_> = rules
        .iter()
        .enumerate()
        .filter_map(|(at, rule)| {
            let host = rule.host_rank(asked.host)?;
            let (path, is_twin) = rule.path_rank(&asked.path, rules)?;
            let within = (
                rule.methods == Methods::All,
                Reverse(rule.headers.len()),
                Reverse(rule.query.len()),
                Reverse(rule.cookies.len()),
                rule.order,
                at,
            );
            Some(((host, path), within, is_twin))
        })
        .collect();
    candidates.sort();
    for group in candidates.chunk_by(|left, right| left.0 == right.0) {
        let holds = |at: usize| rules[at].predicates_hold(asked);
        let fit: Vec<usize> = group
            .iter()
            .map(|it| it.1.5)
            .filter(|at| holds(*at))
            .collect();
        if fit.is_empty() {
            continue;
        }
        if group[0].2 {
            return Err(String::new());
        }
        let took = fit
            .iter()
            .find(|at| rules[**at].methods.contains(&asked.method));
        return match took {
            Some(at) => Ok(*at),
            None => {
                let allow = allow(fit.iter().map(|at| &rules[*at].methods));
                Err(allow.to_str().unwrap().to_owned())
            }
        };
    }
    Err(String::new())
}

fn segment() -> impl Strategy<Value = &'static str> {
    select(&["a", "b", "ab", "a.b"][..])
}

fn path() -> impl Strategy<Value = Path> {
    let step = prop_oneof![3 => segment().prop_map(Some), 1 => Just(None)];
    let end = select(&[End::Closed, End::Slash, End::Open, End::Rest][..]);
    let segments = (vec(step, 0..4), end).prop_map(|(steps, end)| {
        let is_nothing = steps.is_empty() && end == End::Closed;
        Path::Segments(steps, if is_nothing { End::Slash } else { end })
    });
    // Many routes of one path, for what is decided within it.
    let one = Path::Segments(vec![Some("a")], End::Open);
    prop_oneof![5 => segments, 3 => Just(one), 2 => select(EXPRESSIONS).prop_map(Path::Regex)]
}

fn methods() -> impl Strategy<Value = Methods> {
    let method = select(&[Method::GET, Method::POST, Method::DELETE][..]);
    prop_oneof![
        2 => Just(Methods::All),
        1 => vec(method, 1..3).prop_map(Methods::only),
    ]
}

fn some(names: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::sample::subsequence(names, 0..=names.len()),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let host = prop_oneof![
        3 => Just(None),
        2 => select(&["x.test", "*.test", "*.x.test", "a.x.test"][..]).prop_map(Some),
    ];
    let headers = some(HEADERS).prop_flat_map(|names| {
        let wanted = vec(any::<bool>(), names.len());
        wanted.prop_map(move |wanted| names.iter().copied().zip(wanted).collect::<Vec<_>>())
    });
    let order = prop_oneof![3 => Just(0), 1 => -1..2_i32];
    (
        host,
        path(),
        methods(),
        headers,
        some(QUERY),
        some(COOKIES),
        order,
    )
        .prop_map(
            |(host, path, methods, headers, query, cookies, order)| Rule {
                host,
                path,
                methods,
                headers,
                query,
                cookies,
                order,
            },
        )
}

fn asked() -> impl Strategy<Value = Asked> {
    let host = select(
        &[
            None,
            Some("x.test"),
            Some("a.x.test"),
            Some("b.test"),
            Some("y"),
        ][..],
    );
    let path = (vec(segment(), 0..5), any::<bool>()).prop_map(|(segments, has_slash)| {
        let slash = if has_slash && !segments.is_empty() {
            "/"
        } else {
            ""
        };
        format!("/{}{slash}", segments.join("/"))
    });
    let path = prop_oneof![2 => path, 1 => Just("/a/a.b".to_owned())];
    let method = select(&[Method::GET, Method::HEAD, Method::POST, Method::PUT][..]);
    let parameters = prop::sample::subsequence(QUERY, 0..=QUERY.len());
    let query = parameters.prop_map(|names| {
        let pairs: Vec<String> = names.iter().map(|name| format!("{name}=1")).collect();
        pairs.join("&")
    });
    let headers = prop::sample::subsequence(HEADERS, 0..=HEADERS.len());
    let cookies = prop::sample::subsequence(COOKIES, 0..=COOKIES.len());
    (host, path, method, headers, query, cookies).prop_map(
        |(host, path, method, headers, query, cookies)| Asked {
            host,
            path,
            method,
            headers,
            query,
            cookies,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_answers_as_trying_all_routes_does(
        rules in vec(rule(), 0..10),
        all_asked in vec(asked(), 1..6),
    ) {
        let entries = rules.iter().map(Rule::to_match).enumerate();
        let table = Table::new(entries.map(|(at, it)| (it, at))).unwrap();
        let shadowed = table.shadowed();
        for asked in &all_asked {
            let names = asked.headers.iter().map(|name| HeaderName::from_static(name));
            let mut headers: HeaderMap = names.map(|it| (it, HeaderValue::from_static("v"))).collect();
            if !asked.cookies.is_empty() {
                let pairs: Vec<String> = asked.cookies.iter().map(|it| format!("{it}=12")).collect();
                headers.insert(COOKIE, pairs.join("; ").try_into().unwrap());
            }
            let mut lookup = Lookup::new(&asked.method, &asked.path).with_headers(&headers);
            lookup.host = asked.host;
            lookup.query = Some(&asked.query);
            let answer = match table.find(&lookup) {
                Found::Route(at, captures) => {
                    let is_regex = matches!(rules[*at].path, Path::Regex(_));
                    let captured: Vec<&str> = captures.iter(&asked.path).map(|(_, it)| it).collect();
                    prop_assert!(is_regex || captured == rules[*at].captured(&asked.path));
                    let rest = captures.rest(&asked.path);
                    prop_assert!(rest.is_none_or(|it| it.is_empty() || it.starts_with('/')));
                    prop_assert_eq!(rest.is_some(), rules[*at].is_open());
                    prop_assert!(shadowed.iter().all(|it| it.route != *at), "{at} is shadowed");
                    Ok(*at)
                }
                Found::MethodNotAllowed { allow } => Err(allow.to_str().unwrap().to_owned()),
                Found::Nothing => Err(String::new()),
            };
            prop_assert_eq!(&answer, &by_trying_all(&rules, asked), "{:?}", asked);

            let explained = match table.explain(&lookup).answer {
                Answer::Route { id, .. } => Ok(id),
                Answer::MethodNotAllowed { allow } => Err(allow),
                _ => Err(String::new()),
            };
            prop_assert_eq!(explained, answer.map(|at| rules[at].to_match().label()));
        }
    }
}

const HEADERS: &[&str] = &["x-a", "x-b"];
const QUERY: &[&str] = &["p", "q"];
const COOKIES: &[&str] = &["c", "d"];
const EXPRESSIONS: &[&str] = &["/a/.*", "/[ab]+", "/.*/b", "/a/?", "/.*", "/a|/b/"];
