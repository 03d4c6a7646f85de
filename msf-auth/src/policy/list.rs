//! The policies of a whole service, from a file.

use std::{fmt, str::FromStr};

use http::Method;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use thiserror::Error;

use super::Policy;

/// The policies of a whole service: by path, and by method.
///
/// ```
/// use http::Method;
/// use msf_auth::policy::{Policies, scope};
///
/// let policies = Policies::from_toml(r#"
///     [routes."/orders/{id}"]
///     GET = "any(scope(orders:read), owner(id))"
///     DELETE = { all = ["scope(orders:admin)", "max_auth_age(5m)"] }
///
///     [routes."/hello"]
///     "*" = "public"
/// "#)?;
/// assert!(policies.find("/hello", &Method::POST).unwrap().is_public());
/// assert_eq!(policies.find("/orders/{id}", &Method::POST), None);
/// # Ok::<(), msf_auth::policy::InvalidPolicies>(())
/// ```
///
/// Paths are those of the router, to the letter. `GET` is for `HEAD` too, unless there is a `HEAD`; `*` is for whatever
/// method is not listed. What is neither known nor well-formed is an error, and nothing is left out.
/// [`SecureRouter::listed`](crate::axum::SecureRouter::listed) serves them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    routes: Unique<Path, Unique<Verb, Policy>>,
}

/// A file that has no policies that could be enforced.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct InvalidPolicies {
    message: Box<str>,
}

/// A file that is longer is none that people wrote.
const BYTES_MAX: usize = 1 << 20;
/// Bounds the search for what is twice.
const ENTRIES_MAX: usize = 4_096;

impl Policies {
    /// Reads them from TOML of at most 1 MiB.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicies`], with the line and what was expected there.
    pub fn from_toml(text: &str) -> Result<Self, InvalidPolicies> {
        if text.len() > BYTES_MAX {
            return Err(InvalidPolicies {
                message: "the file is above 1 MiB".into(),
            });
        }
        toml::from_str(text).map_err(|error| InvalidPolicies {
            message: error.to_string().into(),
        })
    }

    /// The policy of a path, as the router has it, for a method.
    #[must_use]
    pub fn find(&self, path: &str, method: &Method) -> Option<&Policy> {
        find(self.methods(path)?, method)
    }

    /// Each path, with each of its methods (`*` for those that are not listed), and the policy.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Policy)> {
        self.routes.0.iter().flat_map(|(path, methods)| {
            let methods = methods.0.iter();
            methods.map(|(verb, policy)| (&*path.0, verb.as_str(), policy))
        })
    }

    pub(crate) fn methods(&self, path: &str) -> Option<&[(Verb, Policy)]> {
        let mut routes = self.routes.0.iter();
        let (_, methods) = routes.find(|(own, _)| *own.0 == *path)?;
        Some(&methods.0)
    }

    #[cfg(feature = "axum")]
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.routes.0.iter().map(|(path, _)| &*path.0)
    }
}

/// What is for a method: its own, that of `GET` for `HEAD`, then `*`.
pub(crate) fn find<'a, T>(methods: &'a [(Verb, T)], method: &Method) -> Option<&'a T> {
    let of = |method: &Method| {
        let mut methods = methods.iter();
        methods.find(|(verb, _)| matches!(verb, Verb::Only(own) if own == method))
    };
    let found = of(method).or_else(|| {
        (*method == Method::HEAD)
            .then(|| of(&Method::GET))
            .flatten()
    });
    let rest = || methods.iter().find(|(verb, _)| *verb == Verb::Rest);
    found.or_else(rest).map(|(_, policy)| policy)
}

/// Which methods an entry is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Only(Method),
    Rest,
}

impl Verb {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Only(method) => method.as_str(),
            Self::Rest => "*",
        }
    }
}

impl FromStr for Verb {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::Rest);
        }
        // `get` would be a method of its own, which no client sends.
        let is_upper = !text.is_empty()
            && text.len() <= 32
            && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        match Method::from_bytes(text.as_bytes()) {
            Ok(method) if is_upper => Ok(Self::Only(method)),
            _ => Err("a method in upper case, or `*`"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Path(Box<str>);

impl FromStr for Path {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with('/') && !text.chars().any(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err("a path that begins with `/`")
        }
    }
}

/// A table in which nothing is twice, whatever the format says about that, and which is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unique<K, V>(Vec<(K, V)>);

impl<K, V> Default for Unique<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, K, V> Deserialize<'de> for Unique<K, V>
where
    K: FromStr<Err = &'static str> + PartialEq,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor(Vec::new()))
    }
}

struct UniqueVisitor<K, V>(Vec<(K, V)>);

impl<'de, K, V> Visitor<'de> for UniqueVisitor<K, V>
where
    K: FromStr<Err = &'static str> + PartialEq,
    V: Deserialize<'de>,
{
    type Value = Unique<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(text) = map.next_key::<String>()? {
            let key = text.parse::<K>().map_err(|expected| {
                A::Error::custom(format_args!("expected {expected}, found {text:?}"))
            })?;
            if self.0.len() == ENTRIES_MAX {
                return Err(A::Error::custom("the table has more than 4096 entries"));
            }
            if self.0.iter().any(|(own, _)| *own == key) {
                return Err(A::Error::custom(format_args!("{text:?} is there twice")));
            }
            self.0.push((key, map.next_value()?));
        }
        if self.0.is_empty() {
            return Err(A::Error::custom("the table is empty"));
        }
        Ok(Unique(self.0))
    }
}
