//! [`Captures`].

use std::{borrow::Cow, ops::Range, sync::Arc};

use super::query;

/// What the captures of a template took from a path: places in it, and no text of its own.
///
/// It asks for the path that was looked up each time, and so can be kept beside a request without borrowing from
/// it. A route without captures costs nothing here; with them, a count is raised and nothing is allocated.
///
/// ```
/// use http::Method;
/// use msf_gateway::route::{Found, Lookup, Match, Table};
///
/// let table = Table::new([(Match::template("/api/{id}/x/{*rest}"), "x")])?;
/// let path = "/api/caf%C3%A9/x/a/b";
/// let Found::Route(_, captures) = table.find(&Lookup::new(&Method::GET, path)) else {
///     panic!("nothing was found");
/// };
/// assert_eq!(captures.get("id", path), Some("caf%C3%A9"));
/// assert_eq!(captures.decoded("id", path).as_deref(), Some("café"));
/// assert_eq!(captures.get("rest", path), Some("a/b"));
/// assert_eq!(captures.get("nothing", path), None);
/// # Ok::<(), msf_gateway::route::TableErrors>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    names: Option<Arc<[Box<str>]>>,
    ranges: Ranges,
}

/// Places in a path, without their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    len: u8,
    /// Where what `**` takes begins, with its slash.
    rest: Option<u16>,
    places: [(u16, u16); Captures::MAX],
}

impl Captures {
    /// How many captures a route may have: a path with more names than this is a query in disguise, and so many
    /// fit beside a request without an allocation.
    pub const MAX: usize = 8;

    pub(crate) const fn new(names: Option<Arc<[Box<str>]>>, ranges: Ranges) -> Self {
        Self { names, ranges }
    }

    /// Whether the route has no captures.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.names.is_none()
    }

    /// What a capture took of this path, as it is written there: percent-encoded where the path is.
    ///
    /// `None` for another path than the one that was looked up, unless it is long enough.
    #[must_use]
    pub fn get<'p>(&self, name: &str, path: &'p str) -> Option<&'p str> {
        self.iter(path)
            .find_map(|(own, value)| (own == name).then_some(value))
    }

    /// The same, percent-decoded; what policies compare.
    #[must_use]
    pub fn decoded<'p>(&self, name: &str, path: &'p str) -> Option<Cow<'p, str>> {
        self.get(name, path).map(query::decoded)
    }

    /// What `**` took of this path, with the slash before it: what is left when the rest of the template is
    /// stripped or replaced. Empty if the path ended before; `None` for a route without `**`.
    ///
    /// ```
    /// use http::Method;
    /// use msf_gateway::route::{Found, Lookup, Match, Table};
    ///
    /// let table = Table::new([(Match::template("/tenants/{tenant}/**"), ())])?;
    /// for (path, rest) in [("/tenants/a/x/7", "/x/7"), ("/tenants/a/", "/"), ("/tenants/a", "")] {
    ///     let Found::Route(_, captures) = table.find(&Lookup::new(&Method::GET, path)) else {
    ///         panic!("{path} was not found");
    ///     };
    ///     assert_eq!(captures.rest(path), Some(rest));
    /// }
    /// # Ok::<(), msf_gateway::route::TableErrors>(())
    /// ```
    #[must_use]
    pub fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.get(usize::from(self.ranges.rest?)..)
    }

    /// All of them in the order of the path.
    pub fn iter<'s, 'p: 's>(
        &'s self,
        path: &'p str,
    ) -> impl Iterator<Item = (&'s str, &'p str)> + use<'s, 'p> {
        let names = self.names.as_deref().unwrap_or_default();
        let places = self.ranges.as_slice();
        names.iter().zip(places).filter_map(move |(name, place)| {
            let value = path.get(usize::from(place.0)..usize::from(place.1))?;
            Some((&**name, value))
        })
    }

    /// All of them, percent-decoded.
    pub(crate) fn decoded_all<'s, 'p: 's>(
        &'s self,
        path: &'p str,
    ) -> impl Iterator<Item = (&'s str, Cow<'p, str>)> {
        self.iter(path)
            .map(|(name, value)| (name, query::decoded(value)))
    }
}

impl Ranges {
    pub(crate) fn as_slice(&self) -> &[(u16, u16)] {
        &self.places[..usize::from(self.len).min(Captures::MAX)]
    }

    /// The same with what `**` takes, from its slash on: a capture too, if it has a name.
    pub(crate) fn with_rest(mut self, place: Range<usize>) -> Self {
        self.rest = u16::try_from(place.start).ok();
        let named = (place.start + 1).min(place.end);
        self.with(named..place.end)
    }

    /// The same with one more; those above the limit are left out, which `Match` has refused before.
    pub(crate) fn with(mut self, place: Range<usize>) -> Self {
        let ends = (u16::try_from(place.start), u16::try_from(place.end));
        let slot = self.places.get_mut(usize::from(self.len));
        if let ((Ok(start), Ok(end)), Some(slot)) = (ends, slot) {
            *slot = (start, end);
            self.len += 1;
        }
        self
    }
}
