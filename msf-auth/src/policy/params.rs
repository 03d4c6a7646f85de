//! The parameters of a path.

/// The parameters that the router found in the path, percent-decoded.
///
/// ```
/// use msf_auth::policy::PathParams;
///
/// let params = PathParams::from([("id", "7")]);
/// assert_eq!(params.get("id"), Some("7"));
/// assert_eq!(PathParams::none().get("id"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathParams(Vec<(Box<str>, Box<str>)>);

impl PathParams {
    /// No parameters; allocates nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The value of a parameter.
    ///
    /// `None` also for one that is there twice, as `/teams/{id}` with `/users/{id}` nested in it gives: which
    /// of the two a handler takes cannot be known here.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(own, _)| &**own == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

impl<K: Into<Box<str>>, V: Into<Box<str>>> FromIterator<(K, V)> for PathParams {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

impl<K: Into<Box<str>>, V: Into<Box<str>>, const N: usize> From<[(K, V); N]> for PathParams {
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}
