//! Forwarding without routes.

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body::Body as _;
use msf_client::ServiceClient;
use msf_core::{body::Body, problem::Problem, server::Connection};

use crate::{
    body::{Proxied, ResponseBody},
    headers::{
        self, IdentityHeaders,
        forwarded::Forwarding,
        max_forwards::{self, Hop},
        message,
    },
    respond, rewrite,
    route::Route,
};

/// Forwards single requests to services, for a program that decides itself where they go: what a gateway does to a
/// message, without its routes, policies and limits.
///
/// A request is refused if two servers could read it differently, gets the one spelling of its path, loses what belongs
/// to the client's connection and what only the inside may say, and is told who the client was. The answer loses what
/// belongs to the service's connection; a call that failed is answered as a gateway answers it.
///
/// Who the peer is stands in the request's extensions, where `msf_core`'s server puts it; without it the client is not
/// known.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`forwarding`](Self::forwarding) | believe nobody | a header is no proof |
/// | [`identity_headers`](Self::identity_headers) | the built-in list | |
/// | [`body_limit`](Self::body_limit) | 2 MiB | as a route |
///
/// ```
/// # use std::convert::Infallible;
/// # use msf_core::testing::TestServer;
/// use http::{Request, Response};
/// use msf_client::ServiceClient;
/// use msf_core::body::Body;
/// use msf_gateway::Forwarder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// # let server = TestServer::start(tower::service_fn(|request: Request<Body>| async move {
/// #     assert!(!request.headers().contains_key("x-user-id"));
/// #     Ok::<_, Infallible>(Response::new(Body::from("hello")))
/// # })).await;
/// # let address = format!("http://{}", server.addr());
/// let forwarder = Forwarder::new();
/// let legacy = ServiceClient::at(&address)?;
///
/// let request = Request::get("/a/%62").header("host", "shop.example").header("x-user-id", "1");
/// let response = forwarder.forward(request.body(Body::empty())?, &legacy).await;
/// assert_eq!(response.status(), 200);
///
/// let strange = Request::get("/a/../b").header("host", "shop.example").body(Body::empty())?;
/// assert_eq!(forwarder.forward(strange, &legacy).await.status(), 400);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it forwards"]
pub struct Forwarder {
    forwarding: Forwarding,
    identity: IdentityHeaders,
    body_limit: usize,
}

impl Default for Forwarder {
    fn default() -> Self {
        Self::new()
    }
}

impl Forwarder {
    /// Forwards with the default settings.
    pub fn new() -> Self {
        Self {
            forwarding: Forwarding::default(),
            identity: IdentityHeaders::default(),
            body_limit: Route::BODY_LIMIT_DEFAULT,
        }
    }

    /// Which proxies are believed about the client, and what the services are told.
    pub fn forwarding(mut self, forwarding: Forwarding) -> Self {
        self.forwarding = forwarding;
        self
    }

    /// Which headers no client may send.
    pub fn identity_headers(mut self, identity: IdentityHeaders) -> Self {
        self.identity = identity;
        self
    }

    /// How many bytes the body of a request may have; more is answered with 413.
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Forwards a request. Paths of the inside, such as `/internal` and `/metrics`, are unknown as in a gateway.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future or the body of the answer gives the call up.
    pub async fn forward(
        &self,
        request: Request<Body>,
        service: &ServiceClient,
    ) -> Response<ResponseBody> {
        let response = match self.prepare(request) {
            Err(refused) => (*refused).map(Proxied::from),
            Ok(request) => match service.call(request).await {
                Ok(response) => respond::cleaned(response),
                Err(error) => respond::failed(error).map(Proxied::from),
            },
        };
        response.map(ResponseBody::bare)
    }

    fn prepare(&self, mut request: Request<Body>) -> Result<Request<Body>, Box<Response<Bytes>>> {
        rewrite::canonical(&mut request)
            .map_err(|path| Box::new(Problem::from(path).into_response()))?;
        if rewrite::is_internal(request.uri().path(), 0) {
            return Err(Box::new(respond::not_found()));
        }
        let host = message::check(&request).map_err(|it| Box::new(respond::invalid(it)))?;
        if *request.method() == Method::OPTIONS {
            let hop = max_forwards::count_down(request.headers_mut());
            if hop.map_err(|it| Box::new(respond::invalid(it)))? == Hop::Last {
                return Err(Box::new(respond::last_hop()));
            }
        }
        let hint = request.body().size_hint();
        if hint.lower() > u64::try_from(self.body_limit).unwrap_or(u64::MAX) {
            return Err(Box::new(respond::too_large(self.body_limit)));
        }
        let (mut parts, mut body) = request.into_parts();
        if hint.exact().is_none() {
            body = Body::new(http_body_util::Limited::new(body, self.body_limit));
        }
        let connection = parts.extensions.get::<Connection>().cloned();
        headers::receive(
            &mut parts,
            connection.as_ref(),
            host.as_ref(),
            &self.identity,
            &self.forwarding,
        );
        rewrite::strip(&mut parts.uri, 0);
        parts.headers.remove(header::HOST);
        Ok(Request::from_parts(parts, body))
    }
}
