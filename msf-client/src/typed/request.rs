//! Building a request.

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header, request::Parts};
use msf_core::{BoxError, body::Body, deadline::Deadline};
use serde::Serialize;

use super::{path, query, response::Response};
use crate::{Error, ServiceClient};

/// A request to one service, built step by step. Made by [`ServiceClient::get`] and its siblings.
///
/// What is invalid on the way is kept and becomes the error of [`send`](Self::send).
///
/// ```
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # use msf_client::Client;
/// # use msf_core::{body::Body, name::{InstanceId, ServiceName}, testing::TestServer};
/// # use msf_registry::{Instance, Registry, backend::memory::MemoryRegistry};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// # let server = TestServer::start(tower::service_fn(|request: Request<Body>| async {
/// #     assert_eq!(request.headers()["idempotency-key"], "order-17");
/// #     assert_eq!(request.uri(), "/charges?dry_run=yes");
/// #     Ok::<_, Infallible>(Response::new(request.into_body()))
/// # })).await;
/// # let registry = Registry::new(MemoryRegistry::new());
/// # let name = ServiceName::new("payment")?;
/// # let instance = Instance::new(name.clone(), InstanceId::random(&name), server.addr());
/// # let registration = registry.register(instance);
/// # registration.registered().await?;
/// # let client = Client::builder(registry).build()?;
/// # let payment = client.service("payment")?;
/// let charge = serde_json::json!({"order_id": 17, "amount": 2500});
/// let response = payment
///     .post("/charges")
///     .query("dry_run", "yes")
///     .idempotency_key("order-17")
///     .json(&charge)
///     .send()
///     .await?;
/// assert_eq!(response.json::<serde_json::Value>().await?, charge);
/// # Ok(())
/// # }
/// ```
#[must_use = "a request is not made before `send`"]
pub struct RequestBuilder {
    client: ServiceClient,
    path: String,
    request: Request<Body>,
    error: Option<BoxError>,
}

impl RequestBuilder {
    pub(crate) fn new(client: ServiceClient, method: Method, path: &str) -> Self {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        Self {
            client,
            path: path.to_owned(),
            request,
            error: None,
        }
    }

    /// Adds a segment to the path, percent-encoded, so that a value from outside stays where it is put.
    ///
    /// ```
    /// # use msf_client::ServiceClient;
    /// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), msf_core::BoxError> {
    /// # let server = MockServer::start().await;
    /// # Mock::given(path("/orders/7%2F8/items")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    /// # let orders = ServiceClient::at(&server.uri())?;
    /// let id = "7/8";
    /// let answer = orders.get("/orders").segment(id).segment("items").send().await?;
    /// assert_eq!(answer.status(), 204);
    ///
    /// assert!(orders.get("/orders").segment("..").send().await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Nothing, `.`, `..` and a segment after the query are errors of [`send`](Self::send).
    pub fn segment(mut self, segment: impl AsRef<str>) -> Self {
        match path::push(&mut self.path, segment.as_ref()) {
            Ok(()) => self,
            Err(error) => self.fail(error),
        }
    }

    /// Adds `name=value` to the query; both are percent-encoded.
    pub fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        query::append(&mut self.path, name, value.as_ref());
        self
    }

    /// Sets a header. `Authorization`, `Proxy-Authorization` and `Cookie` are marked as sensitive.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Into<BoxError>>,
        V: TryInto<HeaderValue, Error: Into<BoxError>>,
    {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(value)) => {
                let value = marked(&name, value);
                self.request.headers_mut().insert(name, value);
                self
            }
            (Err(error), _) => self.fail(error),
            (_, Err(error)) => self.fail(error),
        }
    }

    /// Sets these headers, each instead of all that have its name.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        let mut last = None;
        for (name, value) in headers {
            // Only the first value of a name comes with it.
            let own = self.request.headers_mut();
            match (name, &last) {
                (Some(name), _) => {
                    let value = marked(&name, value);
                    own.insert(&name, value);
                    last = Some(name);
                }
                (None, Some(name)) => {
                    own.append(name, marked(name, value));
                }
                (None, None) => {}
            }
        }
        self
    }

    /// Asks in the name of whoever made the request that is being served: its `Authorization` goes along
    /// instead of the client's own credentials, and its deadline holds.
    ///
    /// For services that trust one another with the tokens of their users. Where they should not, the
    /// client's [bearer](crate::ClientBuilder::bearer) makes tokens of its own.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http::Request;
    /// # use msf_client::ServiceClient;
    /// # use msf_core::deadline::Deadline;
    /// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::header};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), msf_core::BoxError> {
    /// # let server = MockServer::start().await;
    /// # Mock::given(header("authorization", "Bearer of-ada")).respond_with(ResponseTemplate::new(204))
    /// #     .mount(&server).await;
    /// # let inventory = ServiceClient::at(&server.uri())?;
    /// // What a handler was given, as an axum extractor does it.
    /// let (serving, ()) = Request::get("/cart")
    ///     .header("authorization", "Bearer of-ada")
    ///     .extension(Deadline::after(Duration::from_secs(2)))
    ///     .body(())?
    ///     .into_parts();
    /// let answer = inventory.get("/stock").on_behalf_of(&serving).send().await?;
    /// assert_eq!(answer.status(), 204);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_behalf_of(mut self, serving: &Parts) -> Self {
        if let Some(deadline) = Deadline::of(&serving.extensions) {
            self = self.deadline(deadline);
        }
        match serving.headers.get(header::AUTHORIZATION) {
            Some(authorization) => self.bearer(authorization.clone()),
            None => self,
        }
    }

    /// Names the operation, so that the callee does it once however often it is sent.
    pub fn idempotency_key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Sets the whole value of `Authorization`, instead of the client's own credentials. It is marked
    /// as sensitive.
    pub fn bearer(mut self, mut authorization: HeaderValue) -> Self {
        authorization.set_sensitive(true);
        self.request
            .headers_mut()
            .insert(header::AUTHORIZATION, authorization);
        self
    }

    /// Sets the timeout of this call instead of the client's, for the whole answer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.client = self.client.with_timeout(timeout);
        self
    }

    /// Passes on the deadline of the request that is being served; the earlier one holds.
    pub fn deadline(mut self, deadline: Deadline) -> Self {
        deadline.tighten(self.request.extensions_mut());
        self
    }

    /// Sends a value as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => {
                let json = HeaderValue::from_static("application/json");
                let headers = self.request.headers_mut();
                headers.entry(header::CONTENT_TYPE).or_insert(json);
                self.body(bytes)
            }
            Err(error) => self.fail(error),
        }
    }

    /// Sends pairs as a form (`application/x-www-form-urlencoded`).
    ///
    /// ```
    /// # use msf_client::ServiceClient;
    /// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::body_string};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), msf_core::BoxError> {
    /// # let server = MockServer::start().await;
    /// # Mock::given(body_string("grant_type=client_credentials&scope=a%20b"))
    /// #     .respond_with(ResponseTemplate::new(204)).mount(&server).await;
    /// # let issuer = ServiceClient::at(&server.uri())?;
    /// let form = [("grant_type", "client_credentials"), ("scope", "a b")];
    /// assert_eq!(issuer.post("/token").form(form).send().await?.status(), 204);
    /// # Ok(())
    /// # }
    /// ```
    pub fn form<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = self.request.headers_mut();
        headers.entry(header::CONTENT_TYPE).or_insert(form);
        self.body(query::form(pairs))
    }

    /// Sends a body as it is; [`Body::new`] takes streams.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// Sends the request and waits for the head of the answer. An error status is an answer;
    /// [`Response::ok`] makes it an error. So is a redirect: it is not followed.
    ///
    /// The path begins with one `/`. What is not ASCII in it is percent-encoded; a segment `.` or `..`, in whatever
    /// spelling, and a `#` are errors, since a value that was put into the path would lead out of its place.
    /// [`segment`](Self::segment) takes any value.
    ///
    /// # Errors
    ///
    /// [`Error`]; [`Error::is_unsent`] says whether the request may be sent again.
    ///
    /// # Cancel safety
    ///
    /// As [`ServiceClient::call`].
    pub async fn send(self) -> Result<Response, Error> {
        let Self {
            client,
            path,
            mut request,
            error,
        } = self;
        if let Some(source) = error {
            return Err(Error::InvalidRequest { source });
        }
        *request.uri_mut() = path::target(&path)?;
        let timeout = client.timeout();
        let own = Deadline::after(timeout);
        let deadline = Deadline::of(request.extensions()).map_or(own, |it| it.min(own));
        let own_timeout = (deadline == own).then_some(timeout);
        let (service, limit) = (client.name().clone(), client.body_limit());
        let response = client.call(request).await?;
        Ok(Response::new(
            response,
            service,
            deadline,
            own_timeout,
            limit,
        ))
    }

    fn fail(mut self, error: impl Into<BoxError>) -> Self {
        self.error.get_or_insert_with(|| error.into());
        self
    }
}

/// Marks what no log may show, and no table of HTTP/2 keep.
fn marked(name: &HeaderName, mut value: HeaderValue) -> HeaderValue {
    if matches!(
        *name,
        header::AUTHORIZATION | header::PROXY_AUTHORIZATION | header::COOKIE
    ) {
        value.set_sensitive(true);
    }
    value
}

/// Without headers and query, some of which are secrets.
impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        f.debug_struct("RequestBuilder")
            .field("service", self.client.name())
            .field("method", self.request.method())
            .field("path", &path)
            .finish_non_exhaustive()
    }
}
