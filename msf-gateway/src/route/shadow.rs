//! Routes that no request reaches.

use super::{Table, methods::Methods};

/// A route that no request reaches, because another one takes all of its requests.
///
/// ```
/// use http::Method;
/// use msf_gateway::route::{Match, Shadowed, Table};
///
/// let table = Table::new([
///     (Match::prefix("/"), "all"),
///     (Match::prefix("/api").methods([Method::GET]), "api"),
///     (Match::prefix("/api").methods([Method::GET]), "again"),
///     (Match::regex("/v[0-9]+/.*"), "after every prefix"),
/// ])?;
/// let shadowed = table.shadowed();
/// let pairs: Vec<_> = shadowed.iter().map(|it| (it.route, it.by)).collect();
/// assert_eq!(pairs, [(2, 1), (3, 0)]);
/// # Ok::<(), msf_gateway::route::TableErrors>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Shadowed {
    /// The place of the route among those that the table was made of.
    pub route: usize,
    /// The place of a route that takes its requests; of several that do so together the first.
    pub by: usize,
}

impl<T> Table<T> {
    /// The routes that no request reaches, in the order in which they were given.
    ///
    /// It finds those behind routes of the same host and path, alone or together, and regular expressions behind
    /// a prefix of everything. It does not look into regular expressions, nor for predicates that contradict each
    /// other.
    #[must_use]
    pub fn shadowed(&self) -> Vec<Shadowed> {
        let mut shadowed = Vec::new();
        for tree in self.hosts.all() {
            for group in tree.groups() {
                for (at, &route) in group.iter().enumerate() {
                    let by = self.covered_by(&group[..at], route);
                    shadowed.extend(by.map(|by| Shadowed { route, by }));
                }
            }
            // A prefix of everything ends every search, be it with 405.
            let mut all = tree.root().open.iter();
            if let Some(&by) = all.find(|&&route| self.rule(route).predicates().next().is_none()) {
                let behind = tree.expressions.iter().flat_map(|it| &it.group);
                shadowed.extend(behind.map(|&route| Shadowed { route, by }));
            }
        }
        shadowed.sort_unstable();
        shadowed.dedup_by_key(|it| it.route);
        shadowed
    }

    fn covered_by(&self, earlier: &[usize], route: usize) -> Option<usize> {
        let wanted: Vec<_> = self.rule(route).predicates().collect();
        let takes_all_of = |other: &usize| {
            let mut predicates = self.rule(*other).predicates();
            predicates.all(|predicate| wanted.contains(&predicate))
        };
        let mut covering = earlier.iter().copied().filter(takes_all_of).peekable();
        let first = *covering.peek()?;
        let is_covered = match &self.rule(route).methods {
            Methods::All => covering.any(|other| self.rule(other).methods == Methods::All),
            Methods::Only(methods) => {
                let covering: Vec<usize> = covering.collect();
                let is_taken = |method| {
                    let mut covering = covering.iter();
                    covering.any(|other| self.rule(*other).methods.contains(method))
                };
                methods.iter().all(is_taken)
            }
        };
        is_covered.then_some(first)
    }

    fn rule(&self, route: usize) -> &super::Match {
        self.routes[route].rule.rule()
    }
}
