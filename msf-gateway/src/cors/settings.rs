//! [`Cors`].

use std::time::Duration;

use http::Method;

/// Which pages of other origins may use a route, and how; see the [module documentation](super).
///
/// | setting | default | why |
/// |---|---|---|
/// | [`origins`](Self::origins) or [`any_origin`](Self::any_origin) | none, required | |
/// | [`methods`](Self::methods) | those of the route; `GET, HEAD, POST, PUT, PATCH, DELETE` if it takes all | |
/// | [`headers`](Self::headers) | none beyond what pages may send anyway | |
/// | [`expose`](Self::expose) | none beyond what pages may read anyway | |
/// | [`credentials`](Self::credentials) | off | cookies and tokens of a user are given away by name only |
/// | [`max_age`](Self::max_age) | 10 min | a change is seen within a coffee, and a page asks once |
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a setting does nothing until a route has it"]
pub struct Cors {
    pub(super) origins: Vec<String>,
    pub(super) is_any_origin: bool,
    pub(super) methods: Option<Vec<Method>>,
    pub(super) headers: Vec<String>,
    pub(super) is_any_header: bool,
    pub(super) expose: Vec<String>,
    pub(super) has_credentials: bool,
    pub(super) max_age: Duration,
}

impl Default for Cors {
    fn default() -> Self {
        Self::new()
    }
}

impl Cors {
    /// Allows no origin yet.
    pub const fn new() -> Self {
        Self {
            origins: Vec::new(),
            is_any_origin: false,
            methods: None,
            headers: Vec::new(),
            is_any_header: false,
            expose: Vec::new(),
            has_credentials: false,
            max_age: MAX_AGE,
        }
    }

    /// Pages of these origins, such as `https://shop.example`; `https://*.shop.example` is every origin of that scheme
    /// and port whose host ends so, and not `https://shop.example` itself.
    pub fn origins<T: Into<String>>(mut self, origins: impl IntoIterator<Item = T>) -> Self {
        self.origins.extend(origins.into_iter().map(Into::into));
        self
    }

    /// Pages of every origin, without the user's credentials.
    pub const fn any_origin(mut self) -> Self {
        self.is_any_origin = true;
        self
    }

    /// The methods that a preflight allows.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        let list = self.methods.get_or_insert_default();
        list.extend(methods);
        self
    }

    /// The headers of requests that a preflight allows.
    pub fn headers<T: Into<String>>(mut self, headers: impl IntoIterator<Item = T>) -> Self {
        self.headers.extend(headers.into_iter().map(Into::into));
        self
    }

    /// Allows whatever headers a preflight asks for.
    pub const fn any_header(mut self) -> Self {
        self.is_any_header = true;
        self
    }

    /// The headers of answers that pages may read.
    pub fn expose<T: Into<String>>(mut self, headers: impl IntoIterator<Item = T>) -> Self {
        self.expose.extend(headers.into_iter().map(Into::into));
        self
    }

    /// Requests may carry the user's cookies and certificates, and their answers may be read.
    pub const fn credentials(mut self) -> Self {
        self.has_credentials = true;
        self
    }

    /// How long a browser may keep the answer to a preflight, in whole seconds. Browsers keep it two hours at most.
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }
}

const MAX_AGE: Duration = Duration::from_secs(600);
