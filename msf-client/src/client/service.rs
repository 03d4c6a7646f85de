//! The client of one service.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Method, Request, Response, header};
use msf_auth::BearerSource;
use msf_core::{
    body::Body,
    name::{InstanceId, ServiceName},
};
use msf_registry::{NoEndpoints, NoEndpointsReason, PickContext, Picked, ServiceHandle};
use msf_resilience::circuit_breaker::CircuitBreaker;
use tower_service::Service;

use super::{
    body::ResponseBody,
    builder::Settings,
    call::{Call, Limit},
    metrics::ServiceMetrics,
};
use crate::{Error, RequestBuilder, transport::Connections};

/// Calls one service. Made by [`Client::service`](crate::Client::service); clones share everything.
///
/// It is a `tower::Service` for whole requests, and has a builder for typed ones:
///
/// ```
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # use msf_client::Client;
/// # use msf_core::{body::Body, name::{InstanceId, ServiceName}, testing::TestServer};
/// # use msf_registry::{Instance, Registry, backend::memory::MemoryRegistry};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// # let server = TestServer::start(tower::service_fn(|_request| async {
/// #     Ok::<_, Infallible>(Response::new(Body::from("[]")))
/// # })).await;
/// # let registry = Registry::new(MemoryRegistry::new());
/// # let name = ServiceName::new("catalogue")?;
/// # let instance = Instance::new(name.clone(), InstanceId::random(&name), server.addr());
/// # let registration = registry.register(instance);
/// # registration.registered().await?;
/// # let client = Client::builder(registry).build()?;
/// let catalogue = client.service("catalogue")?;
///
/// let products: Vec<u64> = catalogue.get("/products").send().await?.json().await?;
/// assert!(products.is_empty());
///
/// let request = Request::get("/products").body(Body::empty())?;
/// assert_eq!(catalogue.clone().oneshot(request).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ServiceClient {
    target: Arc<Target>,
    connections: Connections,
    timeout: Duration,
}

/// What is known of one service.
pub(super) struct Target {
    name: ServiceName,
    pub(super) host: HeaderValue,
    instances: ServiceHandle,
    pub(super) breaker: CircuitBreaker,
    pub(super) metrics: ServiceMetrics,
    pub(super) settings: Settings,
    bearer: Option<Arc<dyn BearerSource>>,
}

impl ServiceClient {
    pub(super) fn new(target: Arc<Target>, connections: Connections) -> Self {
        let timeout = target.settings.timeout;
        Self {
            target,
            connections,
            timeout,
        }
    }

    /// The same service with another timeout instead of the client's, longer or shorter.
    ///
    /// It is also the measure by which the callee is blamed for a missed deadline, so where a route or a
    /// call has a timeout of its own, set it here rather than as a deadline of the request.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The service.
    #[must_use]
    pub fn name(&self) -> &ServiceName {
        &self.target.name
    }

    /// Its instances.
    #[must_use]
    pub fn instances(&self) -> &ServiceHandle {
        &self.target.instances
    }

    /// Its breaker.
    #[must_use]
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.target.breaker
    }

    /// Sends a whole request, as [`Service::call`] does, without `&mut`.
    ///
    /// The request's path is sent as it is; its `Host` becomes the service's name. Its deadline is the
    /// earlier of the [`Deadline`](msf_core::deadline::Deadline) in its extensions and the timeout, and ends with the head
    /// of the answer.
    ///
    /// # Errors
    ///
    /// [`Error`]; an error status is not one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future or the answer's body closes the connection, frees the breaker's permit and
    /// takes the call out of those in flight.
    pub fn call(&self, request: Request<Body>) -> Call {
        let (target, connections) = (self.target.clone(), self.connections.clone());
        Call::new(target, connections, self.timeout, request)
    }

    /// Begins a request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method, path)
    }

    /// Begins a `GET`.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// Begins a `POST`.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// Begins a `PUT`.
    pub fn put(&self, path: &str) -> RequestBuilder {
        self.request(Method::PUT, path)
    }

    /// Begins a `DELETE`.
    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn body_limit(&self) -> usize {
        self.target.settings.body_limit
    }
}

impl Service<Request<Body>> for ServiceClient {
    type Response = Response<ResponseBody>;
    type Error = Error;
    type Future = Call;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Call {
        Self::call(self, request)
    }
}

impl Target {
    pub(super) fn new(
        name: ServiceName,
        instances: ServiceHandle,
        breaker: CircuitBreaker,
        metrics: ServiceMetrics,
        settings: Settings,
        bearer: Option<Arc<dyn BearerSource>>,
    ) -> Self {
        let host = HeaderValue::from_str(name.as_str()).expect("a service name is a DNS label");
        Self {
            name,
            host,
            instances,
            breaker,
            metrics,
            settings,
            bearer,
        }
    }

    pub(super) const fn name(&self) -> &ServiceName {
        &self.name
    }

    /// Sets what is the same for every attempt.
    pub(super) fn address(&self, request: &mut Request<Body>) -> Result<(), Error> {
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        if let Some(bearer) = &self.bearer
            && !headers.contains_key(header::AUTHORIZATION)
        {
            let mut value = bearer.bearer().map_err(Error::Credentials)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(())
    }

    /// An instance that was not tried yet.
    pub(super) async fn pick(
        &self,
        tried: &[InstanceId],
        limit: &Limit,
    ) -> Result<Picked, NoEndpoints> {
        let context = PickContext::new().tried(tried);
        match self.instances.pick(&context) {
            Err(none) if none.reason == NoEndpointsReason::NotYetKnown => {
                let wait = limit
                    .deadline
                    .remaining()
                    .min(self.settings.resolve_timeout);
                self.instances.ready(wait).await?;
                self.instances.pick(&PickContext::new().tried(tried))
            }
            picked => picked,
        }
    }
}

impl fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceClient")
            .field("service", &self.target.name)
            .field("breaker", &self.target.breaker)
            .finish_non_exhaustive()
    }
}
