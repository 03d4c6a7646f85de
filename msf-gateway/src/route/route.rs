//! [`Route`].

use std::{fmt, time::Duration};

use http::Method;
use msf_auth::policy::{self, Policy};
use msf_resilience::rate_limit::RateLimiter;

use super::{CookieMatch, HeaderMatch, Match, QueryMatch};
use crate::{
    gateway::Settings,
    limit::{Key, RateKey, RouteLimit},
    tunnel,
};

/// One rule: which requests go to which service, and who may send them.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`to`](Self::to) | none, required | |
/// | [`policy`](Self::policy) or [`public`](Self::public) | none, required | nothing is public by accident |
/// | [`id`](Self::id) | host and path | what stands in logs and metrics |
/// | [`methods`](Self::methods) | all | |
/// | [`host`](Self::host), [`header`](Self::header), [`query`](Self::query), [`cookie`](Self::cookie) | any | |
/// | [`rate_limit`](Self::rate_limit) | none | |
/// | [`timeout`](Self::timeout) | the client's | until the head of the answer |
/// | [`body_limit`](Self::body_limit) | 2 MiB | what a JSON service needs; uploads raise it |
/// | [`upgrade`](Self::upgrade) | none | a connection that leaves HTTP leaves all that is known of HTTP |
/// | [`upgrade_idle_timeout`](Self::upgrade_idle_timeout) | 1 h | an idle tunnel costs two sockets and no buffer |
/// | [`strip_prefix`](Self::strip_prefix) | off | services see the path that the world sees |
///
/// ```
/// use std::time::Duration;
/// use http::Method;
/// use msf_auth::policy::scope;
/// use msf_gateway::Route;
///
/// let orders = Route::prefix("/api/orders")
///     .methods([Method::GET, Method::POST])
///     .to("order")
///     .policy(scope("orders:read"))
///     .timeout(Duration::from_secs(3));
/// assert_eq!(orders.to_string(), "/api/orders/**");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a route does nothing until a gateway has it"]
pub struct Route {
    pub(crate) matches: Match,
    pub(crate) service: Option<String>,
    pub(crate) policy: Option<Policy>,
    pub(crate) limit: Option<RouteLimit>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) body_limit: usize,
    pub(crate) strip_prefix: bool,
    pub(crate) settings: Settings,
    pub(crate) upgrades: Vec<String>,
    pub(crate) upgrade_idle_timeout: Duration,
}

impl Route {
    /// The body limit of a route that sets none.
    pub const BODY_LIMIT_DEFAULT: usize = 2 << 20;

    /// A route for this path alone. With a slash more or less at its end the path is unknown, and does not
    /// fall to a prefix whose policy was written for others.
    pub fn exact(path: impl Into<Box<str>>) -> Self {
        Self::new(Match::exact(path))
    }

    /// A route for a path and all below it. The prefix ends at a segment: `/api/orders` does not take
    /// `/api/orders2`.
    pub fn prefix(path: impl Into<Box<str>>) -> Self {
        Self::new(Match::prefix(path))
    }

    /// A route for a path with captures, as `/api/{id}/x` or `/api/{id}/**`; see [`Match::template`].
    pub fn template(path: impl AsRef<str>) -> Self {
        Self::new(Match::template(path))
    }

    /// A route for the paths that a regular expression takes as a whole; every other kind of path wins over it.
    /// See [`Match::regex`].
    pub fn regex(path: impl Into<Box<str>>) -> Self {
        Self::new(Match::regex(path))
    }

    /// A route for these requests.
    pub fn new(matches: Match) -> Self {
        Self {
            matches,
            service: None,
            policy: None,
            limit: None,
            timeout: None,
            body_limit: Self::BODY_LIMIT_DEFAULT,
            strip_prefix: false,
            settings: Settings::default(),
            upgrades: Vec::new(),
            upgrade_idle_timeout: tunnel::IDLE_TIMEOUT_DEFAULT,
        }
    }

    /// Its name in logs, metrics and explanations, instead of the text of its host and path.
    pub fn id(mut self, id: impl Into<Box<str>>) -> Self {
        self.matches = self.matches.id(id);
        self
    }

    /// Takes this host only: `api.shop.example`, or `*.shop.example` for all below it. See [`Match::host`].
    pub fn host(mut self, host: impl Into<Box<str>>) -> Self {
        self.matches = self.matches.host(host);
        self
    }

    /// Takes only requests with such a header. It selects and does not protect: without the header the request
    /// goes to the next route.
    pub fn header(mut self, header: HeaderMatch) -> Self {
        self.matches = self.matches.header(header);
        self
    }

    /// Takes only requests with such a parameter of the query.
    pub fn query(mut self, parameter: QueryMatch) -> Self {
        self.matches = self.matches.query(parameter);
        self
    }

    /// Takes only requests with such a cookie.
    pub fn cookie(mut self, cookie: CookieMatch) -> Self {
        self.matches = self.matches.cookie(cookie);
        self
    }

    /// Decides between routes that are alike in everything else: the smaller one is first. See [`Match::order`].
    pub fn order(mut self, order: i32) -> Self {
        self.matches = self.matches.order(order);
        self
    }

    /// The service that answers, by its name in the registry.
    pub fn to(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Takes these methods only; `GET` includes `HEAD`. Other methods on the path are answered with 405,
    /// unless another route of the same path takes them.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.matches = self.matches.methods(methods);
        self
    }

    /// Who may pass.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Everybody may pass. Tokens are not looked at, and forwarded.
    pub fn public(self) -> Self {
        self.policy(policy::public())
    }

    /// Limits how often a caller may come. Routes that get clones of one limiter share its counts.
    pub fn rate_limit(mut self, limiter: RateLimiter<RateKey>, key: Key) -> Self {
        self.limit = Some(RouteLimit { limiter, key });
        self
    }

    /// How long the service may take to begin its answer, the upload of the request's body included: instead
    /// of the client's timeout, shorter or longer.
    ///
    /// The service is measured by it: silence for so long is a failure to the circuit breaker, which all
    /// routes to the service share.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many bytes the body of a request may have; more is answered with 413.
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// The protocols to which the service may switch the client's connection, such as `websocket`.
    ///
    /// The gateway switches only after the service has, to the protocol that it named, and then passes
    /// bytes on in both directions; see [`tunnel`](crate::tunnel). Policy and limits of the route apply
    /// to the request that asks for it. Any other `Upgrade` is removed.
    pub fn upgrade<T: Into<String>>(mut self, protocols: impl IntoIterator<Item = T>) -> Self {
        self.upgrades = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// How long a connection that was switched may be silent in both directions.
    pub const fn upgrade_idle_timeout(mut self, timeout: Duration) -> Self {
        self.upgrade_idle_timeout = timeout;
        self
    }

    /// Forwards `/api/orders/7` as `/7`.
    ///
    /// The service then sees paths that the world chooses from its root on: whatever it serves beside its
    /// API can be reached. `/internal` and what is below it, probes and `/metrics` are 404 all the same.
    pub const fn strip_prefix(mut self) -> Self {
        self.strip_prefix = true;
        self
    }
}

/// The id of the route, as it is in logs and metrics.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.matches.label())
    }
}
