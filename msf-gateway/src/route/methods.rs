//! [`Methods`], a set of request methods.

use http::{HeaderValue, Method};

/// The methods that a route takes: all of them, or a list in which `GET` includes `HEAD`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Methods {
    #[default]
    All,
    Only(Vec<Method>),
}

impl Methods {
    pub(crate) fn only(methods: impl IntoIterator<Item = Method>) -> Self {
        let mut list: Vec<Method> = Vec::new();
        for method in methods {
            if !list.contains(&method) {
                list.push(method);
            }
        }
        // A server answers HEAD wherever it answers GET (RFC 9110 §9.3.2).
        if list.contains(&Method::GET) && !list.contains(&Method::HEAD) {
            list.push(Method::HEAD);
        }
        Self::Only(list)
    }

    pub(crate) fn contains(&self, method: &Method) -> bool {
        match self {
            Self::All => true,
            Self::Only(list) => list.contains(method),
        }
    }

    /// A method that both take, with neither before the other: a list comes before all.
    pub(crate) fn clash<'a>(&'a self, other: &'a Self) -> Option<&'a str> {
        match (self, other) {
            (Self::All, Self::All) => Some("every method"),
            (Self::All, Self::Only(_)) | (Self::Only(_), Self::All) => None,
            (Self::Only(list), other) => {
                let both = list.iter().find(|method| other.contains(method));
                both.map(Method::as_str)
            }
        }
    }

    /// The methods by name; none for a set of all.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let list = match self {
            Self::All => &[][..],
            Self::Only(list) => list,
        };
        list.iter().map(Method::as_str)
    }
}

/// The value of `Allow` for the methods of some routes.
pub(crate) fn allow<'a>(routes: impl Iterator<Item = &'a Methods>) -> HeaderValue {
    let mut names: Vec<&str> = routes.flat_map(Methods::names).collect();
    names.sort_unstable();
    names.dedup();
    HeaderValue::try_from(names.join(", ")).unwrap_or_else(|_invalid| HeaderValue::from_static(""))
}
