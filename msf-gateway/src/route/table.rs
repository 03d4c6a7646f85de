//! [`Table`], from a request to a route.

use std::sync::Arc;

use http::HeaderValue;
use regex::bytes::Regex;

use super::{
    Captures, Lookup, Match, TableErrors, host::Hosts, matching::Compiled, methods::Methods,
    pattern::Path, tree::Tree, walk::Walk,
};

/// Values by what they match; the [module](super) says which of several wins.
///
/// A lookup goes down a tree of segments, once for each host that takes the request, and so depends on the depth
/// of the routes and not on their number. It allocates nothing, unless regular expressions are asked, or the answer
/// is "method not allowed".
///
/// ```
/// use http::Method;
/// use msf_gateway::route::{Found, Lookup, Match, Table};
///
/// let table = Table::new([
///     (Match::prefix("/api/users"), "users"),
///     (Match::exact("/api/users/login").methods([Method::POST]), "login"),
///     (Match::template("/api/users/{id}/orders"), "orders of a user"),
/// ])?;
/// let find = |method, path| table.find(&Lookup::new(&method, path));
///
/// assert_eq!(find(Method::GET, "/api/users/7").route(), Some(&"users"));
/// assert_eq!(find(Method::GET, "/api/users/7/orders").route(), Some(&"orders of a user"));
/// assert_eq!(find(Method::POST, "/api/users/login").route(), Some(&"login"));
/// assert!(matches!(find(Method::GET, "/api/users/login"), Found::MethodNotAllowed { .. }));
/// assert_eq!(find(Method::GET, "/api/users2"), Found::Nothing);
/// # Ok::<(), msf_gateway::route::TableErrors>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table<T> {
    pub(super) routes: Box<[Entry<T>]>,
    pub(super) hosts: Hosts<Tree>,
}

/// What a [`Table`] knows of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a router has these three answers")]
pub enum Found<'a, T> {
    /// The value of the route, and what its captures took.
    Route(&'a T, Captures),
    /// The path is known and does not take the method.
    MethodNotAllowed {
        /// The value of the header `Allow`.
        allow: HeaderValue,
    },
    /// The path is not known.
    Nothing,
}

#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    pub(super) rule: Compiled,
    /// Of the captures, where there are any.
    pub(super) names: Option<Arc<[Box<str>]>>,
    pub(super) value: T,
}

impl<'a, T> Found<'a, T> {
    /// The value, if there is a route.
    #[must_use]
    pub const fn route(&self) -> Option<&'a T> {
        match self {
            Self::Route(value, _) => Some(value),
            _ => None,
        }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            routes: Box::default(),
            hosts: Hosts::default(),
        }
    }
}

impl<T> Table<T> {
    /// A table of these.
    ///
    /// # Errors
    ///
    /// [`TableErrors`] with everything that is wrong.
    pub fn new(routes: impl IntoIterator<Item = (Match, T)>) -> Result<Self, TableErrors> {
        let mut errors = Vec::new();
        let mut compiled = Vec::new();
        for (at, (rule, value)) in routes.into_iter().enumerate() {
            let mut own = Vec::new();
            compiled.extend(rule.compile(&mut own).map(|rule| (rule, value)));
            errors.extend(own.into_iter().map(|error| (at, error)));
        }
        if errors.is_empty() {
            Ok(Self::compiled(compiled))
        } else {
            Err(TableErrors::new(errors))
        }
    }

    pub(crate) fn compiled(routes: Vec<(Compiled, T)>) -> Self {
        let entries = routes
            .into_iter()
            .map(|(rule, value)| Entry::new(rule, value));
        let routes: Box<[Entry<T>]> = entries.collect();
        let mut hosts = Hosts::<Tree>::default();
        for (at, entry) in routes.iter().enumerate() {
            let tree = hosts.entry(&entry.rule.host);
            match &entry.rule.path {
                Path::Shape(shape) => tree.insert(shape, at),
                Path::Regex(regex) => tree.insert_regex(regex.clone(), at),
            }
        }
        for tree in hosts.all_mut() {
            tree.sort(|at| routes[at].rule.rank(), |at| routes[at].rule.rule.order);
        }
        Self { routes, hosts }
    }

    /// Finds the route of a request whose path is canonical.
    #[must_use]
    pub fn find(&self, lookup: &Lookup<'_>) -> Found<'_, T> {
        Walk::new(self, lookup, &mut ()).run()
    }

    /// The matches and values, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&Match, &T)> {
        let entries = self.routes.iter();
        entries.map(|entry| (entry.rule.rule(), &entry.value))
    }
}

impl<T> Entry<T> {
    fn new(rule: Compiled, value: T) -> Self {
        let names: Vec<Box<str>> = rule.capture_names().map(Box::from).collect();
        Self {
            names: (!names.is_empty()).then(|| names.into()),
            rule,
            value,
        }
    }

    pub(super) const fn methods(&self) -> &Methods {
        &self.rule.rule.methods
    }

    pub(super) const fn regex(&self) -> Option<&Regex> {
        match &self.rule.path {
            Path::Regex(regex) => Some(regex),
            Path::Shape(_) => None,
        }
    }
}
