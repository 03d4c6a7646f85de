//! The key of an HTTP request, cautious by default.

use std::hash::{Hash, Hasher};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body::Body;

/// What makes two requests equal: method, target and every header that is not known to make no difference.
///
/// A header that this crate has never heard of is part of the key, since it may carry an identity. Left out are only
/// those that differ from call to call and say nothing of the caller: `traceparent`, `tracestate`,
/// `x-request-id`, `user-agent`, `x-msf-timeout-ms`, `grpc-timeout`, `connection` and `keep-alive`.
///
/// What it cannot see is an identity beside the request: a client certificate, claims in the extensions, the address of the
/// peer. Where answers depend on those, put them into the key:
///
/// ```
/// use axum::body::Body;
/// use http::Request;
/// use msf_resilience::coalesce::HttpKey;
///
/// #[derive(Clone)]
/// struct Tenant(u32);
///
/// let key = |request: &Request<Body>| {
///     let tenant = request.extensions().get::<Tenant>()?;
///     Some((tenant.0, HttpKey::of(request)?))
/// };
/// let mut request = Request::new(Body::empty());
/// assert_eq!(key(&request), None);
/// request.extensions_mut().insert(Tenant(7));
/// assert_eq!(key(&request).unwrap().0, 7);
/// ```
#[derive(Clone, Debug)]
pub struct HttpKey {
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl HttpKey {
    /// The key of a GET or HEAD without a body and without credentials; `None` for all others.
    ///
    /// Credentials are `authorization`, `proxy-authorization` and `cookie`.
    #[must_use]
    pub fn of<B: Body>(request: &Request<B>) -> Option<Self> {
        let headers = request.headers();
        let has_credentials = CREDENTIALS.iter().any(|name| headers.contains_key(name));
        (!has_credentials).then(|| Self::with_credentials(request))?
    }

    /// The key of a GET or HEAD without a body; credentials are part of it.
    ///
    /// So only requests with the very same credentials share an answer.
    #[must_use]
    pub fn with_credentials<B: Body>(request: &Request<B>) -> Option<Self> {
        let headers = request.headers();
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_safe || !request.body().is_end_stream() || headers.contains_key(header::UPGRADE) {
            return None;
        }
        Some(Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: significant(headers),
        })
    }
}

impl PartialEq for HttpKey {
    fn eq(&self, other: &Self) -> bool {
        // Byte by byte: `Uri` compares the host without regard to case, which its hash need not follow.
        self.method == other.method
            && parts(&self.uri) == parts(&other.uri)
            && self.headers == other.headers
    }
}

impl Eq for HttpKey {}

impl Hash for HttpKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.method.hash(state);
        parts(&self.uri).hash(state);
        self.headers.hash(state);
    }
}

type UriParts<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn parts(uri: &Uri) -> UriParts<'_> {
    (
        uri.scheme_str(),
        uri.authority().map(http::uri::Authority::as_str),
        uri.path_and_query().map(http::uri::PathAndQuery::as_str),
    )
}

fn significant(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let headers = headers.iter().filter(|(name, _)| !is_left_out(name));
    headers
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn is_left_out(name: &HeaderName) -> bool {
    LEFT_OUT.contains(&name.as_str())
}

/// Whether an answer says that it depends on what is not in the key.
pub(super) fn varies_beyond(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::VARY).into_iter();
    values.into_iter().any(|value| match value.to_str() {
        Ok(text) => text.split(',').map(str::trim).any(|name| {
            name == "*"
                || LEFT_OUT
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(name))
        }),
        Err(_) => true,
    })
}

const CREDENTIALS: [HeaderName; 3] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
];

const LEFT_OUT: [&str; 8] = [
    "connection",
    "grpc-timeout",
    "keep-alive",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-msf-timeout-ms",
    "x-request-id",
];
