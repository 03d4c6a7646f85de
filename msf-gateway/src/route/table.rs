//! From a path and a method to a route.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use http::{HeaderValue, Method};

use super::methods::{Methods, allow};

/// Which paths a route takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pattern {
    /// This path and no other.
    Exact(Box<str>),
    /// This path and all below it.
    Prefix(Box<str>),
}

impl Pattern {
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Exact(path) | Self::Prefix(path) => path,
        }
    }

    /// The names that it captures.
    pub(crate) const fn captures(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.pad(path),
            Self::Prefix(path) => write!(f, "{}/**", without_last_slash(path)),
        }
    }
}

/// Routes by path and method, each with a value.
///
/// An exact route wins over a prefix, and a longer prefix over a shorter one. Prefixes end at segments:
/// `/api/orders` takes `/api/orders`, `/api/orders/` and `/api/orders/7`, and not `/api/orders2`. The most
/// specific path decides alone: if none of its routes takes the method the answer is "method not
/// allowed", and never a route of a shorter prefix, whose policy was not written for this path. For the same
/// reason the path of an exact route with a slash more or less at its end, which many services take for the
/// same, is unknown unless it has an exact route of its own.
///
/// A lookup hashes the path once per segment, up to the depth of the deepest prefix, and allocates nothing.
///
/// ```
/// use http::Method;
/// use msf_gateway::route::{Found, Table};
///
/// let mut table = Table::default();
/// table.prefix("/api/users", None, "users");
/// table.exact("/api/users/login", Some(&[Method::POST]), "login");
///
/// assert_eq!(table.find("/api/users/7", &Method::GET), Found::Route(&"users"));
/// assert_eq!(table.find("/api/users/login", &Method::POST), Found::Route(&"login"));
/// assert!(matches!(table.find("/api/users/login", &Method::GET), Found::MethodNotAllowed { .. }));
/// assert_eq!(table.find("/api/users2", &Method::GET), Found::Nothing);
/// ```
#[derive(Clone, Debug)]
pub struct Table<T> {
    exact: HashMap<Box<str>, Branch<T>>,
    /// Paths of exact routes that end with a slash, without it; nearly always none.
    slashed: HashSet<Box<str>>,
    prefixes: HashMap<Box<str>, Branch<T>>,
    /// Slashes in the deepest prefix: no need to look further into a path.
    depth: usize,
}

/// What a [`Table`] knows of a path and a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a router has these three answers")]
pub enum Found<'a, T> {
    /// The value of the route.
    Route(&'a T),
    /// The path is known and does not take the method.
    MethodNotAllowed {
        /// The value of the header `Allow`.
        allow: &'a HeaderValue,
    },
    /// The path is not known.
    Nothing,
}

/// The routes of one path.
#[derive(Clone, Debug)]
struct Branch<T> {
    routes: Vec<(Methods, T)>,
    allow: HeaderValue,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            slashed: HashSet::new(),
            prefixes: HashMap::new(),
            depth: 0,
        }
    }
}

impl<T> Table<T> {
    /// Adds a route for one path. `None` stands for every method; of two routes that take the same method
    /// the first wins.
    pub fn exact(&mut self, path: &str, methods: Option<&[Method]>, value: T) {
        self.insert(&Pattern::Exact(path.into()), methods_of(methods), value);
    }

    /// Adds a route for a path and all below it.
    pub fn prefix(&mut self, path: &str, methods: Option<&[Method]>, value: T) {
        self.insert(&Pattern::Prefix(path.into()), methods_of(methods), value);
    }

    pub(crate) fn insert(&mut self, pattern: &Pattern, methods: Methods, value: T) {
        let branch = match pattern {
            Pattern::Exact(path) => {
                if let Some(bare) = path.strip_suffix('/') {
                    self.slashed.insert(bare.into());
                }
                self.exact.entry(path.clone()).or_default()
            }
            Pattern::Prefix(path) => {
                let path = without_last_slash(path);
                self.depth = self.depth.max(path.matches('/').count());
                self.prefixes.entry(path.into()).or_default()
            }
        };
        branch.routes.push((methods, value));
        branch.allow = allow(branch.routes.iter().map(|(methods, _)| methods));
    }

    /// Finds the route of a canonical path.
    #[must_use]
    pub fn find(&self, path: &str, method: &Method) -> Found<'_, T> {
        match self.branch(path) {
            Some(branch) => branch.find(method),
            None => Found::Nothing,
        }
    }

    fn branch(&self, path: &str) -> Option<&Branch<T>> {
        if let Some(branch) = self.exact.get(path) {
            return Some(branch);
        }
        if self.differs_by_a_slash(path) {
            return None;
        }
        let depth = path.matches('/').take(self.depth + 1).count();
        // The whole path is a candidate only if it is no deeper than the deepest prefix.
        let mut candidate = if depth <= self.depth {
            path
        } else {
            up_to_slash(path, self.depth)
        };
        loop {
            if let Some(branch) = self.prefixes.get(candidate) {
                return Some(branch);
            }
            candidate = &candidate[..candidate.rfind('/')?];
        }
    }

    /// Whether a path would have an exact route with a slash more or less at its end.
    fn differs_by_a_slash(&self, path: &str) -> bool {
        match path.strip_suffix('/') {
            Some(bare) => self.exact.contains_key(bare),
            None => self.slashed.contains(path),
        }
    }
}

impl<T> Default for Branch<T> {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            allow: HeaderValue::from_static(""),
        }
    }
}

impl<T> Branch<T> {
    fn find(&self, method: &Method) -> Found<'_, T> {
        let route = self
            .routes
            .iter()
            .find(|(methods, _)| methods.contains(method));
        match route {
            Some((_, value)) => Found::Route(value),
            None => Found::MethodNotAllowed { allow: &self.allow },
        }
    }
}

fn methods_of(methods: Option<&[Method]>) -> Methods {
    methods.map_or(Methods::All, |methods| {
        Methods::only(methods.iter().cloned())
    })
}

/// `/api/` and `/api` are one prefix, and `/` is the prefix of everything, which is the empty text.
fn without_last_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

/// The path up to its slash number `depth`, counted from 0 and left out.
fn up_to_slash(path: &str, depth: usize) -> &str {
    path.match_indices('/')
        .nth(depth)
        .map_or(path, |(at, _)| &path[..at])
}
