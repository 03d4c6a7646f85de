//! [`Lookup`].

use http::{HeaderMap, Method, Request, header::HOST};

/// What a [`Table`](super::Table) looks at.
///
/// ```
/// use http::Request;
/// use msf_gateway::route::Lookup;
///
/// let request = Request::get("/api/users?page=2").header("host", "Shop.Example:8080").body(())?;
/// let lookup = Lookup::of(&request);
/// assert_eq!(lookup.path, "/api/users");
/// assert_eq!(lookup.host, Some("Shop.Example:8080"));
/// assert_eq!(lookup.query, Some("page=2"));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Lookup<'a> {
    /// The canonical path. Longer than 65535 bytes it is unknown, which a server refuses long before.
    pub path: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The host that the client asked for; a port, the case and a dot at the end do not matter.
    pub host: Option<&'a str>,
    /// The headers.
    pub headers: Option<&'a HeaderMap>,
    /// The query, without its `?`.
    pub query: Option<&'a str>,
}

impl<'a> Lookup<'a> {
    /// A lookup of a method and a canonical path, without anything else.
    #[must_use]
    pub const fn new(method: &'a Method, path: &'a str) -> Self {
        Self {
            path,
            method,
            host: None,
            headers: None,
            query: None,
        }
    }

    /// The lookup of a request whose path is canonical. The authority of its target is its host, otherwise that
    /// of the header: the order of RFC 9112 §3.2.2.
    #[must_use]
    pub fn of<B>(request: &'a Request<B>) -> Self {
        let (uri, headers) = (request.uri(), request.headers());
        let named = || headers.get(HOST)?.to_str().ok();
        Self {
            path: uri.path(),
            method: request.method(),
            host: uri
                .authority()
                .map(http::uri::Authority::as_str)
                .or_else(named),
            headers: Some(headers),
            query: uri.query(),
        }
    }

    /// The same for this method, as a CORS preflight asks.
    #[must_use]
    pub const fn with_method(mut self, method: &'a Method) -> Self {
        self.method = method;
        self
    }

    /// The same for this host.
    #[must_use]
    pub const fn with_host(mut self, host: &'a str) -> Self {
        self.host = Some(host);
        self
    }

    /// The same with these headers.
    #[must_use]
    pub const fn with_headers(mut self, headers: &'a HeaderMap) -> Self {
        self.headers = Some(headers);
        self
    }

    /// The same with this query.
    #[must_use]
    pub const fn with_query(mut self, query: &'a str) -> Self {
        self.query = Some(query);
        self
    }
}
