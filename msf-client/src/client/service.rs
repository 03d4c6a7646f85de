//! The client of one service.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Method, Request, Response, header};
use msf_auth::BearerSource;
use msf_core::{
    body::Body,
    metrics::Metrics,
    name::{InstanceId, ServiceName},
};
use msf_registry::{
    NoEndpoints, NoEndpointsReason, PickContext, Picked, Registry, ServiceHandle,
    backend::fixed::StaticRegistry,
};
use msf_resilience::{
    budget::Budget,
    circuit_breaker::CircuitBreaker,
    hedge::{HedgeBuilder, HedgePolicy},
    retry::{RetryPolicy, RetryPolicyBuilder},
};
use tower_service::Service;

use super::{
    body::ResponseBody,
    builder::Settings,
    call::Call,
    call_hash::CallHash,
    handle::{Client, InvalidService},
    limit::Limit,
    metrics::ServiceMetrics,
    plan::Plan,
    settings::{Change, Own, ServiceSettings},
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
    /// Nothing where a call is one attempt.
    plan: Option<Arc<Plan>>,
}

/// What is known of one service.
pub(super) struct Target {
    pub(super) name: ServiceName,
    pub(super) host: HeaderValue,
    pub(super) instances: ServiceHandle,
    /// Whether the registry has answered: asking it takes a lock.
    pub(super) is_known: AtomicBool,
    pub(super) breaker: CircuitBreaker,
    pub(super) budget: Budget,
    /// Of what goes to another instance because certainly nothing was sent.
    pub(super) resends: Budget,
    pub(super) metrics: ServiceMetrics,
    /// Where policies of routes count, too.
    pub(super) registered: Option<Metrics>,
    pub(super) settings: Settings,
    pub(super) service_settings: ServiceSettings,
    pub(super) plan: Option<Arc<Plan>>,
    pub(super) bearer: Option<Arc<dyn BearerSource>>,
}

impl ServiceClient {
    pub(super) fn new(target: Arc<Target>, connections: Connections) -> Self {
        let timeout = target.settings.timeout;
        let plan = target.plan.clone();
        Self {
            target,
            connections,
            timeout,
            plan,
        }
    }

    /// A client of whatever listens at one address, such as `http://127.0.0.1:8080`, for tests and for
    /// small tools: nothing has to be registered.
    ///
    /// What is called is named `upstream`, in its `Host` and in errors. A program that calls several
    /// services takes a [`Client`](crate::Client) over a
    /// [`StaticRegistry`](msf_registry::backend::fixed::StaticRegistry).
    ///
    /// ```
    /// use msf_client::ServiceClient;
    /// use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), msf_core::BoxError> {
    /// let server = MockServer::start().await;
    /// let stock = ResponseTemplate::new(200).set_body_json(17);
    /// Mock::given(path("/stock/7")).respond_with(stock).mount(&server).await;
    ///
    /// let inventory = ServiceClient::at(&server.uri())?;
    /// let stock: u32 = inventory.get("/stock/7").send().await?.json().await?;
    /// assert_eq!(stock, 17);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidService::Address`] for anything but `http://`, an IP address or `localhost`, and a port.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn at(address: &str) -> Result<Self, InvalidService> {
        let addr = address
            .strip_prefix("http://")
            .map(|rest| rest.strip_suffix('/').unwrap_or(rest))
            .and_then(|rest| match rest.strip_prefix("localhost:") {
                Some(port) => Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?))),
                None => rest.parse().ok(),
            })
            .filter(|addr: &SocketAddr| addr.port() != 0)
            .ok_or_else(|| InvalidService::Address(address.into()))?;
        let name = ServiceName::new("upstream")?;
        let listed = StaticRegistry::new()
            .addrs(&name, [addr])
            .map_err(|_| InvalidService::Address(address.into()))?;
        let client = Client::builder(Registry::new(listed)).build()?;
        client.service(name.as_str())
    }

    /// The same service with these retries instead of its own; breaker, budget, instances and connections
    /// stay shared. Begin the policy with [`retry_builder`](Self::retry_builder), so that it takes from the
    /// service's budget.
    ///
    /// ```
    /// # use msf_client::Client;
    /// # use msf_registry::{Registry, backend::memory::MemoryRegistry};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), msf_core::BoxError> {
    /// # let client = Client::builder(Registry::new(MemoryRegistry::new())).build()?;
    /// let search = client.service("search")?;
    /// let retry = search.retry_builder().max_attempts(2).build()?;
    /// let patient = search.with_retry(retry);
    /// # drop(patient);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_retry(self, policy: RetryPolicy) -> Self {
        self.planned(|plan| plan.retry = Some(policy))
    }

    /// The same service without retries of what may have been sent.
    #[must_use]
    pub fn without_retry(self) -> Self {
        self.planned(|plan| plan.retry = None)
    }

    /// The same service with these hedges instead of its own; begin the policy with
    /// [`hedge_builder`](Self::hedge_builder).
    #[must_use]
    pub fn with_hedge(self, policy: HedgePolicy) -> Self {
        self.planned(|plan| plan.hedge = Some(policy))
    }

    /// The same service without hedges.
    #[must_use]
    pub fn without_hedge(self) -> Self {
        self.planned(|plan| plan.hedge = None)
    }

    /// The same service with a time for each attempt, within the timeout of the call.
    #[must_use]
    pub fn with_attempt_timeout(self, timeout: Duration) -> Self {
        self.planned(|plan| plan.attempt_timeout = Some(timeout))
    }

    fn planned(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = self.plan.as_deref().cloned().unwrap_or_default();
        change(&mut plan);
        self.plan = (!plan.is_empty()).then(|| Arc::new(plan));
        self
    }

    /// Its retries, if it has any.
    #[must_use]
    pub fn retry(&self) -> Option<&RetryPolicy> {
        self.plan.as_ref()?.retry.as_ref()
    }

    /// Its hedges, if it has any.
    #[must_use]
    pub fn hedge(&self) -> Option<&HedgePolicy> {
        self.plan.as_ref()?.hedge.as_ref()
    }

    /// The budget of its retries and hedges: what they may add to the calls of the service.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.target.budget
    }

    /// Begins retries of this service's name, metrics and budget.
    pub fn retry_builder(&self) -> RetryPolicyBuilder {
        self.target.retry_builder()
    }

    /// Begins hedges of this service's name, metrics and budget.
    pub fn hedge_builder(&self) -> HedgeBuilder {
        self.target.hedge_builder()
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

    /// The same service over other connections: one set per runtime. Breaker, budget, instances and policies stay
    /// shared.
    #[must_use]
    pub fn with_connections(mut self, connections: Connections) -> Self {
        self.connections = connections;
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
        Call::new(
            target,
            connections,
            self.timeout,
            self.plan.clone(),
            request,
        )
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

    /// Begins a `PATCH`.
    pub fn patch(&self, path: &str) -> RequestBuilder {
        self.request(Method::PATCH, path)
    }

    /// Begins a `HEAD`.
    pub fn head(&self, path: &str) -> RequestBuilder {
        self.request(Method::HEAD, path)
    }

    /// Begins a `DELETE`.
    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    /// How long a call may take until the head of its answer.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
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
    /// What its requests say as their `Host`.
    pub(super) fn host(name: &ServiceName) -> HeaderValue {
        HeaderValue::from_str(name.as_str()).expect("a service name is a DNS label")
    }

    /// The plan that the settings of the service ask for.
    pub(super) fn own_plan(
        &self,
        clients: Option<&Change<RetryPolicyBuilder>>,
    ) -> Result<Option<Plan>, InvalidService> {
        let settings = &*self.service_settings.inner;
        let mut plan = Plan {
            attempt_timeout: settings.attempt_timeout,
            ..Plan::default()
        };
        let retry = match &settings.retry {
            Own::Changed(change) => Some(change),
            Own::Clients => clients,
            Own::Nothing => None,
        };
        if let Some(change) = retry {
            plan.retry = Some(change(self.retry_builder()).build()?);
        }
        if let Some(change) = &settings.hedge {
            plan.hedge = Some(change(self.hedge_builder()).build()?);
        }
        Ok((!plan.is_empty()).then_some(plan))
    }

    fn retry_builder(&self) -> RetryPolicyBuilder {
        // The call deposits, once for both.
        let budget = self.budget.without_deposits();
        let builder = RetryPolicy::builder(self.name.as_str()).budget(&budget);
        match &self.registered {
            Some(metrics) => builder.metrics(metrics),
            None => builder,
        }
    }

    fn hedge_builder(&self) -> HedgeBuilder {
        let budget = self.budget.without_deposits();
        let builder = HedgePolicy::builder(self.name.as_str()).budget(budget);
        match &self.registered {
            Some(metrics) => builder.metrics(metrics),
            None => builder,
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

    /// Waits for the registry's first answer, if there was none yet.
    pub(super) async fn known(&self, limit: &Limit) {
        if self.is_known.load(Ordering::Relaxed) {
            return;
        }
        if self.instances.age().is_none() {
            // What there is then is said by the pick.
            let _none = self.instances.ready(self.resolve_wait(limit)).await;
        }
        let is_known = self.instances.age().is_some();
        self.is_known.store(is_known, Ordering::Relaxed);
    }

    fn resolve_wait(&self, limit: &Limit) -> Duration {
        let left = limit.deadline.remaining();
        left.min(self.settings.resolve_timeout)
    }

    /// What keeps a call together with others, where its service is balanced by that.
    pub(super) fn hash(&self, request: &Request<Body>) -> Option<CallHash> {
        if !self.instances.balance().is_hashing() {
            return None;
        }
        request.extensions().get().copied()
    }

    /// An instance that was not tried yet.
    pub(super) async fn pick(
        &self,
        tried: &[InstanceId],
        hash: Option<CallHash>,
        limit: &Limit,
    ) -> Result<Picked, NoEndpoints> {
        let context = PickContext::new().tried(tried);
        let context = match hash {
            Some(hash) => context.hash(hash.get()),
            None => context,
        };
        match self.instances.pick(&context) {
            Err(none) if none.reason == NoEndpointsReason::NotYetKnown => {
                // Boxed: calls that come later do not carry it along.
                Box::pin(self.instances.ready(self.resolve_wait(limit))).await?;
                self.instances.pick(&context)
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
