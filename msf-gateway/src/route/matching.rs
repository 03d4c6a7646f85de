//! [`Match`].

use std::{cmp::Reverse, fmt};

use http::Method;

use super::{
    CookieMatch, HeaderMatch, Lookup, QueryMatch,
    error::InvalidMatch,
    host::Host,
    methods::Methods,
    pattern::{End, Path, Pattern, Step},
    predicate::{Failed, Predicate, Predicates},
};

/// Which requests a route takes.
///
/// The [module](super) says how paths are written and which of several matches wins. What is wrong with one is
/// told when a table is made of it.
///
/// | setting | default |
/// |---|---|
/// | [`id`](Self::id) | the text of host and path |
/// | [`host`](Self::host) | every host |
/// | [`methods`](Self::methods) | every method |
/// | [`header`](Self::header), [`query`](Self::query), [`cookie`](Self::cookie) | none |
/// | [`order`](Self::order) | 0 |
///
/// ```
/// use http::Method;
/// use msf_gateway::route::{HeaderMatch, Match};
///
/// let canary = Match::template("/api/users/**")
///     .host("*.shop.example")
///     .methods([Method::POST])
///     .header(HeaderMatch::exact("x-canary", "1"));
/// assert_eq!(canary.to_string(), "*.shop.example/api/users/** [POST] header x-canary=1");
/// assert_eq!(canary.label(), "*.shop.example/api/users/**");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use = "a match does nothing until a table has it"]
pub struct Match {
    id: Option<Box<str>>,
    pub(crate) pattern: Pattern,
    host: Option<Box<str>>,
    pub(crate) methods: Methods,
    pub(super) headers: Vec<HeaderMatch>,
    pub(super) query: Vec<QueryMatch>,
    pub(super) cookies: Vec<CookieMatch>,
    pub(super) order: i32,
}

impl Match {
    /// This path alone.
    pub fn exact(path: impl Into<Box<str>>) -> Self {
        Self::new(Pattern::Exact(path.into()))
    }

    /// A path and all below it. The prefix ends at a segment: `/api/orders` does not take `/api/orders2`.
    pub fn prefix(path: impl Into<Box<str>>) -> Self {
        Self::new(Pattern::Prefix(path.into()))
    }

    /// A path with captures: `{id}` takes one segment, `/**` or `{*rest}` at the end all that follows. Without
    /// any of these it is [`exact`](Self::exact).
    pub fn template(path: impl AsRef<str>) -> Self {
        Self::new(Pattern::template(path.as_ref()))
    }

    /// Every path that the regular expression takes as a whole. Its named groups are captures, which cost an
    /// allocation; each expression is tried in turn, so a table should have few. Without Unicode: `\d` is a digit
    /// from 0 to 9.
    pub fn regex(path: impl Into<Box<str>>) -> Self {
        Self::new(Pattern::Regex(path.into()))
    }

    pub(crate) const fn new(pattern: Pattern) -> Self {
        Self {
            id: None,
            pattern,
            host: None,
            methods: Methods::All,
            headers: Vec::new(),
            query: Vec::new(),
            cookies: Vec::new(),
            order: 0,
        }
    }

    /// Its name in logs, metrics and explanations.
    pub fn id(mut self, id: impl Into<Box<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// This host only: a name or an address without a port, or `*.` before a name for all below it, however
    /// deep. The port that a client names does not matter.
    pub fn host(mut self, host: impl Into<Box<str>>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// These methods only; `GET` includes `HEAD`.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = Methods::only(methods);
        self
    }

    /// Wants this of a header, beside what was wanted before.
    pub fn header(mut self, header: HeaderMatch) -> Self {
        self.headers.push(header);
        self
    }

    /// Wants this of a parameter of the query, beside what was wanted before.
    pub fn query(mut self, parameter: QueryMatch) -> Self {
        self.query.push(parameter);
        self
    }

    /// Wants this of a cookie, beside what was wanted before.
    pub fn cookie(mut self, cookie: CookieMatch) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// Decides between matches that are alike in everything else, and between regular expressions: the smaller
    /// one is first.
    pub const fn order(mut self, order: i32) -> Self {
        self.order = order;
        self
    }

    /// The id that it was given, otherwise its host and path.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.id, &self.host) {
            (Some(id), _) => id.to_string(),
            (None, Some(host)) => format!("{host}{}", self.pattern),
            (None, None) => self.pattern.to_string(),
        }
    }

    /// The id that it was given.
    pub(crate) fn own_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The same for all methods and without its id, spelled in the one way that two of the same meaning share.
    pub(crate) fn without_methods(&self) -> Self {
        let mut same = self.clone();
        same.id = None;
        same.methods = Methods::All;
        same.host = self
            .host
            .as_deref()
            .map(|host| host.to_ascii_lowercase().into());
        same.pattern = self.pattern.without_names();
        same.headers.sort();
        same.query.sort();
        same.cookies.sort();
        same
    }

    /// Ready to be looked up; `None` after something was added to the errors.
    pub(crate) fn compile(self, errors: &mut Vec<InvalidMatch>) -> Option<Compiled> {
        let before = errors.len();
        let host = match self.host.as_deref().map(Host::parse) {
            None => Some(Host::Any),
            Some(host) => host.map_err(|error| errors.push(error)).ok(),
        };
        let path = self
            .pattern
            .compile()
            .map_err(|error| errors.push(error))
            .ok();
        let predicates = Predicates::compile(&self.headers, &self.query, &self.cookies, errors);
        if errors.len() > before {
            return None;
        }
        Some(Compiled {
            host: host?,
            path: path?,
            predicates,
            rule: self,
        })
    }
}

/// Host, path, methods and predicates, as a person reads them.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}",
            self.host.as_deref().unwrap_or_default(),
            self.pattern
        )?;
        if matches!(self.methods, Methods::Only(_)) {
            let names: Vec<&str> = self.methods.names().collect();
            write!(f, " [{}]", names.join(", "))?;
        }
        for header in &self.headers {
            write!(f, " header {header}")?;
        }
        for parameter in &self.query {
            write!(f, " query {parameter}")?;
        }
        for cookie in &self.cookies {
            write!(f, " cookie {cookie}")?;
        }
        if self.order != 0 {
            write!(f, " order {}", self.order)?;
        }
        Ok(())
    }
}

/// A match that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub(super) host: Host,
    pub(super) path: Path,
    predicates: Predicates,
    pub(super) rule: Match,
}

/// The order among the routes of one host and path.
type Rank = (bool, Reverse<usize>, Reverse<usize>, Reverse<usize>, i32);

impl Compiled {
    pub(crate) const fn rule(&self) -> &Match {
        &self.rule
    }

    /// The names of its captures, in their order.
    pub(crate) fn capture_names(&self) -> impl Iterator<Item = &str> {
        let (shape, regex) = match &self.path {
            Path::Shape(shape) => (Some(shape), None),
            Path::Regex(regex) => (None, Some(regex)),
        };
        let of_shape = shape
            .into_iter()
            .flat_map(|it| it.names.iter().map(|name| &**name));
        let of_regex = regex
            .into_iter()
            .flat_map(|it| it.capture_names().flatten());
        of_shape.chain(of_regex)
    }

    /// How many bytes of every canonical path come before what a prefix without captures leaves open.
    pub(crate) fn prefix_len(&self) -> Option<usize> {
        let Path::Shape(shape) = &self.path else {
            return None;
        };
        let len = |step: &Step| match step {
            Step::Literal(text) => Some("/".len() + text.len()),
            Step::Capture => None,
        };
        let is_open = shape.end == End::Open;
        is_open.then(|| shape.steps.iter().map(len).sum())?
    }

    pub(super) fn rank(&self) -> Rank {
        let rule = &self.rule;
        (
            rule.methods == Methods::All,
            Reverse(rule.headers.len()),
            Reverse(rule.query.len()),
            Reverse(rule.cookies.len()),
            rule.order,
        )
    }

    pub(super) fn failed(&self, lookup: &Lookup<'_>) -> Option<Failed<'_>> {
        self.predicates.failed(lookup)
    }
}

impl Match {
    /// Its predicates, each with what it is about.
    pub(super) fn predicates(&self) -> impl Iterator<Item = (u8, &Predicate)> {
        let headers = self.headers.iter().map(|it| (0, it.predicate()));
        let query = self.query.iter().map(|it| (1, it.predicate()));
        let cookies = self.cookies.iter().map(|it| (2, it.predicate()));
        headers.chain(query).chain(cookies)
    }
}
