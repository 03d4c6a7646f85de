//! [`Received`].

use bytes::Bytes;
use http::{HeaderMap, Method, request::Parts};
use serde::de::DeserializeOwned;

/// A request as a service got it, with its whole body.
#[derive(Clone, Debug)]
pub struct Received {
    head: Parts,
    body: Bytes,
    endpoint: usize,
}

impl Received {
    pub(super) const fn new(head: Parts, body: Bytes, endpoint: usize) -> Self {
        Self {
            head,
            body,
            endpoint,
        }
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.head.method
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// The query, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.head.uri.query()
    }

    /// All headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// One header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The body.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// When it is not UTF-8.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body of the request is UTF-8")
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not JSON of this shape; the message shows the request.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error} in {self:?}"),
        }
    }

    /// Which of the endpoints of its cluster got it, in the order in which they are listed; 0 for the first.
    #[must_use]
    pub const fn endpoint(&self) -> usize {
        self.endpoint
    }
}
