//! [`TestRequest`].

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use msf_core::{body::Body, server::Connection, testing::TestResponse};
use serde::Serialize;

use super::gateway::TestGateway;

/// A request that is sent through a gateway of a test; made by [`TestGateway::get`] and the like.
#[derive(Debug)]
#[must_use = "a request does nothing until `send`"]
pub struct TestRequest<'a> {
    gateway: &'a TestGateway,
    request: Request<Body>,
    peer: IpAddr,
}

impl<'a> TestRequest<'a> {
    #[track_caller]
    pub(super) fn new(gateway: &'a TestGateway, method: Method, path: &str) -> Self {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("the path is that of a URL");
        Self {
            gateway,
            request,
            peer: CLIENT.into(),
        }
    }

    /// Adds a header.
    ///
    /// # Panics
    ///
    /// When the name or the value is none.
    #[track_caller]
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let name: HeaderName = name.as_ref().parse().expect("this is the name of a header");
        let value = HeaderValue::from_str(value.as_ref());
        let value = value.expect("this is the value of a header");
        self.request.headers_mut().append(name, value);
        self
    }

    /// The host that is asked; `gateway.test` unless set.
    ///
    /// # Panics
    ///
    /// As [`header`](Self::header).
    #[track_caller]
    pub fn host(mut self, host: impl AsRef<str>) -> Self {
        self.request.headers_mut().remove(header::HOST);
        self.header("host", host)
    }

    /// Where the request comes from; `192.0.2.1` unless set.
    pub fn from(mut self, client: impl Into<IpAddr>) -> Self {
        self.peer = client.into();
        self
    }

    /// Sends a token.
    ///
    /// # Panics
    ///
    /// When no header can have it.
    #[track_caller]
    pub fn bearer(self, token: impl fmt::Display) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Comes from this caller, with these scopes: sends a [token](TestGateway::token) for it.
    ///
    /// # Panics
    ///
    /// When the gateway has no `[auth]`.
    #[track_caller]
    pub fn caller(self, subject: &str, scopes: &[&str]) -> Self {
        let token = self.gateway.token(subject, scopes);
        self.bearer(token)
    }

    /// Sends a body.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// Sends a body of JSON.
    ///
    /// # Panics
    ///
    /// When the value does not serialize.
    #[track_caller]
    pub fn json(self, value: impl Serialize) -> Self {
        let body = serde_json::to_vec(&value).expect("the value serializes");
        self.header("content-type", "application/json")
            .body(Bytes::from(body))
    }

    /// Sends it, and reads the answer to its end.
    ///
    /// # Panics
    ///
    /// When the body of the answer fails.
    pub async fn send(mut self) -> TestResponse {
        let headers = self.request.headers_mut();
        let host = headers.entry(header::HOST);
        host.or_insert(HeaderValue::from_static("gateway.test"));
        let connection = Connection::from_peer(SocketAddr::new(self.peer, 50_000));
        self.request.extensions_mut().insert(connection);
        self.gateway.client().send(self.request).await
    }
}

/// Somewhere in the world (RFC 5737).
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
