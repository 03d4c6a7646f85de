//! [`Explanation`], which route takes a request and why not another.

use std::fmt;

use http::Method;
use serde::Serialize;

use super::{
    Found, Lookup, Table,
    predicate::Failed,
    walk::{Recorder, Seen, Walk},
};

/// Which route takes a request, and what became of every other that could have: found by the search that
/// serves requests, so that the two cannot disagree.
///
/// Its `Display` is a table for people, its serialised form one for programs.
///
/// ```
/// use http::{HeaderMap, Method};
/// use msf_gateway::route::{Answer, HeaderMatch, Lookup, Match, Table, Verdict};
///
/// let table = Table::new([
///     (Match::template("/api/{id}").id("api"), ()),
///     (Match::template("/api/{id}").header(HeaderMatch::present("x-canary")).id("canary"), ()),
///     (Match::prefix("/orders"), ()),
/// ])?;
/// let explanation = table.explain(&Lookup::new(&Method::GET, "/api/7"));
/// assert!(matches!(&explanation.answer, Answer::Route { id, .. } if id == "api"));
/// let canary = &explanation.candidates[0];
/// assert_eq!(canary.id, "canary");
/// assert_eq!(canary.verdict, Verdict::Header { name: "x-canary".to_owned() });
/// assert_eq!(explanation.others, 1);
/// println!("{explanation}");
/// # Ok::<(), msf_gateway::route::TableErrors>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The method.
    pub method: String,
    /// The host, as the client named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The canonical path; the one that was asked for where there is none.
    pub path: String,
    /// What becomes of the request.
    pub answer: Answer,
    /// The routes whose host and path take the request, in the order in which they are asked.
    pub candidates: Vec<Candidate>,
    /// How many routes have another host or path.
    pub others: usize,
    /// What the route does to the request: its policy, its target and so on, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Setting>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// A route takes it.
    Route {
        /// The id of the route.
        id: String,
        /// What the captures took, percent-decoded.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        captures: Vec<Setting>,
    },
    /// 405: the path is known and does not take the method.
    MethodNotAllowed {
        /// The methods that it takes.
        allow: String,
    },
    /// 404: no route takes it.
    NotFound,
    /// 400: it is no request, or its path has no canonical spelling.
    Invalid {
        /// Why.
        reason: String,
    },
    /// The gateway answers the path itself.
    Own,
    /// 404: a route would take it, and the path that it would be forwarded to is for the inside.
    Internal {
        /// The id of the route.
        id: String,
    },
}

/// A name and a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct Setting {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A route whose host and path take a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Candidate {
    /// The id of the route.
    pub id: String,
    /// What it matches, as text.
    pub matches: String,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a route whose host and path take a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It takes the request.
    Took,
    /// A header is not as it wants it.
    Header {
        /// The header.
        name: String,
    },
    /// A parameter of the query is not as it wants it.
    Query {
        /// The parameter.
        name: String,
    },
    /// A cookie is not as it wants it.
    Cookie {
        /// The cookie.
        name: String,
    },
    /// It does not take the method, and keeps the path from less specific routes.
    Method,
    /// It takes the path with a slash more or less at its end, and keeps this one from less specific routes.
    Slash,
    /// It was not asked: a more specific one had decided.
    LessSpecific,
}

impl Explanation {
    /// Of a request for which no route is asked.
    pub(crate) fn without_route(method: &Method, path: &str, answer: Answer) -> Self {
        Self {
            method: method.to_string(),
            host: None,
            path: path.to_owned(),
            answer,
            candidates: Vec::new(),
            others: 0,
            settings: Vec::new(),
        }
    }
}

impl<T> Table<T> {
    /// What [`find`](Self::find) finds, and why.
    #[must_use]
    pub fn explain(&self, lookup: &Lookup<'_>) -> Explanation {
        let mut recording = Recording::default();
        let found = Walk::new(self, lookup, &mut recording).run();
        let rule = |at: usize| self.routes[at].rule.rule();
        let took = recording
            .0
            .iter()
            .find(|(_, verdict)| *verdict == Verdict::Took);
        let answer = match (found, took) {
            (Found::Route(_, captures), Some((at, _))) => {
                let pairs = captures.iter(lookup.path);
                let setting = |(name, value)| Setting {
                    name: String::from(name),
                    value: super::query::decoded(value).into_owned(),
                };
                Answer::Route {
                    id: rule(*at).label(),
                    captures: pairs.map(setting).collect(),
                }
            }
            (Found::MethodNotAllowed { allow }, _) => Answer::MethodNotAllowed {
                allow: String::from_utf8_lossy(allow.as_bytes()).into_owned(),
            },
            _ => Answer::NotFound,
        };
        let others = self.routes.len() - recording.0.len();
        let candidates = recording.0.into_iter().map(|(at, verdict)| Candidate {
            id: rule(at).label(),
            matches: rule(at).to_string(),
            verdict,
        });
        Explanation {
            method: lookup.method.to_string(),
            host: lookup.host.map(str::to_owned),
            path: lookup.path.to_owned(),
            answer,
            candidates: candidates.collect(),
            others,
            settings: Vec::new(),
        }
    }
}

#[derive(Default)]
struct Recording(Vec<(usize, Verdict)>);

impl Recorder for Recording {
    const GOES_ON: bool = true;

    fn saw(&mut self, route: usize, seen: Seen<'_>) {
        let verdict = match seen {
            Seen::Took => Verdict::Took,
            Seen::Later => Verdict::LessSpecific,
            Seen::Method => Verdict::Method,
            Seen::Slash => Verdict::Slash,
            Seen::Failed(Failed::Header(name)) => Verdict::Header { name: name.into() },
            Seen::Failed(Failed::Query(name)) => Verdict::Query { name: name.into() },
            Seen::Failed(Failed::Cookie(name)) => Verdict::Cookie { name: name.into() },
        };
        self.0.push((route, verdict));
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or_default();
        writeln!(f, "{} {host}{}", self.method, self.path)?;
        writeln!(f, "  {}", self.answer)?;
        for Setting { name, value } in &self.settings {
            writeln!(f, "  {name}: {value}")?;
        }
        if !self.candidates.is_empty() {
            let width = |text: fn(&Candidate) -> &String| {
                let lens = self.candidates.iter().map(|it| text(it).chars().count());
                lens.max().unwrap_or_default()
            };
            let (id, matches) = (width(|it| &it.id), width(|it| &it.matches));
            writeln!(f, "  asked, the most specific first:")?;
            for it in &self.candidates {
                writeln!(
                    f,
                    "    {:id$}  {:matches$}  {}",
                    it.id, it.matches, it.verdict
                )?;
            }
        }
        write!(f, "  {} with another host or path", self.others)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route { id, captures } => {
                write!(f, "route {id}")?;
                for Setting { name, value } in captures {
                    write!(f, ", {name} = {value:?}")?;
                }
                Ok(())
            }
            Self::MethodNotAllowed { allow } => write!(f, "405, the path takes {allow}"),
            Self::NotFound => f.write_str("404, no route takes it"),
            Self::Invalid { reason } => write!(f, "400, {reason}"),
            Self::Own => f.write_str("the gateway answers it itself"),
            Self::Internal { id } => {
                write!(
                    f,
                    "404, route {id} would forward it to a path of the inside"
                )
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Took => f.write_str("takes it"),
            Self::Header { name } => write!(f, "header {name} is not as it wants it"),
            Self::Query { name } => write!(f, "query {name} is not as it wants it"),
            Self::Cookie { name } => write!(f, "cookie {name} is not as it wants it"),
            Self::Method => f.write_str("does not take the method"),
            Self::Slash => f.write_str("takes it only with another end: a slash more or less"),
            Self::LessSpecific => f.write_str("less specific"),
        }
    }
}
