//! [`Cluster`].

use std::{fmt, num::NonZeroU16, sync::Arc, time::Duration};

use msf_client::transport::{Protocol, Upstream};
use msf_registry::LoadBalancing;
use msf_resilience::circuit_breaker::{CircuitBreaker, CircuitBreakerBuilder};

use super::hash_by::HashBy;

/// A named service, and how it is called; see the [module documentation](super).
///
/// | setting | default | why |
/// |---|---|---|
/// | [`endpoint`](Self::endpoint) | none, one is required unless discovered | |
/// | [`load_balancing`](Self::load_balancing) | that of the registry: peak EWMA, with ejection of outliers | |
/// | [`hash_by`](Self::hash_by) | the client's address, where the balance is by hash | every request has one |
/// | [`breaker`](Self::breaker) | that of the client | |
/// | [`timeout`](Self::timeout) | that of the client, 5 s | until the head of the answer |
/// | [`max_connections`](Self::max_connections), [`queue`](Self::queue), [`connect_timeout`](Self::connect_timeout), [`idle_max`](Self::idle_max), [`idle_timeout`](Self::idle_timeout) | those of the connections | |
/// | [`protocol`](Self::protocol) | HTTP/1.1 | |
#[derive(Clone, Debug)]
#[must_use = "a cluster does nothing until a gateway has it"]
pub struct Cluster {
    pub(crate) name: String,
    pub(crate) source: Source,
    pub(crate) load_balancing: Option<LoadBalancing>,
    pub(crate) hash_by: Option<HashBy>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) upstream: Upstream,
    #[cfg(feature = "health")]
    pub(crate) health: Option<super::health::ClusterHealth>,
}

/// Where the endpoints of a cluster come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Listed(Vec<Listed>),
    Discovered,
}

/// An endpoint of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) url: String,
    pub(crate) weight: NonZeroU16,
    pub(crate) zone: Option<String>,
}

/// What is changed of the settings of a breaker.
#[derive(Clone)]
pub(crate) struct Breaker(
    pub(crate) Arc<dyn Fn(CircuitBreakerBuilder) -> CircuitBreakerBuilder + Send + Sync>,
);

impl Cluster {
    /// A cluster whose endpoints are [listed](Self::endpoint).
    pub fn new(name: impl Into<String>) -> Self {
        Self::from_source(name.into(), Source::Listed(Vec::new()))
    }

    /// A cluster whose endpoints are the instances of the service of this name in the registry of the gateway's client.
    pub fn discovered(name: impl Into<String>) -> Self {
        Self::from_source(name.into(), Source::Discovered)
    }

    const fn from_source(name: String, source: Source) -> Self {
        Self {
            name,
            source,
            load_balancing: None,
            hash_by: None,
            breaker: None,
            timeout: None,
            upstream: Upstream::new(),
            #[cfg(feature = "health")]
            health: None,
        }
    }

    /// Adds an endpoint such as `http://10.0.0.1:9001`. A discovered cluster has those of its registry, and this makes
    /// it a listed one.
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        self.weighted_endpoint(url, NonZeroU16::MIN)
    }

    /// Adds an endpoint that gets so many times the calls of one with weight 1.
    pub fn weighted_endpoint(self, url: impl Into<String>, weight: NonZeroU16) -> Self {
        self.listed(url.into(), weight, None)
    }

    /// Adds an endpoint that runs in a zone, with a weight. A gateway that is told its own
    /// [zone](LoadBalancing::zone) prefers the endpoints there.
    ///
    /// ```
    /// use std::num::NonZeroU16;
    /// use msf_gateway::Cluster;
    /// use msf_registry::LoadBalancing;
    ///
    /// let users = Cluster::new("users")
    ///     .endpoint_in("a", "http://10.0.0.1:9001", NonZeroU16::MIN)
    ///     .endpoint_in("b", "http://10.1.0.1:9001", NonZeroU16::MIN)
    ///     .load_balancing(LoadBalancing::default().zone("a"));
    /// # drop(users);
    /// ```
    pub fn endpoint_in(
        self,
        zone: impl Into<String>,
        url: impl Into<String>,
        weight: NonZeroU16,
    ) -> Self {
        self.listed(url.into(), weight, Some(zone.into()))
    }

    fn listed(mut self, url: String, weight: NonZeroU16, zone: Option<String>) -> Self {
        let endpoint = Listed { url, weight, zone };
        match &mut self.source {
            Source::Listed(endpoints) => endpoints.push(endpoint),
            Source::Discovered => self.source = Source::Listed(vec![endpoint]),
        }
        self
    }

    /// Adds endpoints.
    pub fn endpoints<T: Into<String>>(self, urls: impl IntoIterator<Item = T>) -> Self {
        urls.into_iter().fold(self, Self::endpoint)
    }

    /// How calls are spread over the endpoints, and when one that fails is left alone. Of a discovered cluster it is the
    /// registry that knows: [`RegistryBuilder::load_balancing_of`](msf_registry::RegistryBuilder::load_balancing_of).
    pub fn load_balancing(mut self, load_balancing: LoadBalancing) -> Self {
        self.load_balancing = Some(load_balancing);
        self
    }

    /// What requests are kept together by, where they are balanced by hash.
    pub fn hash_by(mut self, by: HashBy) -> Self {
        self.hash_by = Some(by);
        self
    }

    /// Changes the settings of its circuit breaker, after those of the client.
    pub fn breaker(
        mut self,
        change: impl Fn(CircuitBreakerBuilder) -> CircuitBreakerBuilder + Send + Sync + 'static,
    ) -> Self {
        self.breaker = Some(Breaker(Arc::new(change)));
        self
    }

    /// How long it may take to begin an answer, where the route says nothing else.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many connections a worker has to one endpoint at most.
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.upstream = self.upstream.max_connections(connections);
        self
    }

    /// How many calls may wait for a connection to one endpoint, and how long.
    pub const fn queue(mut self, calls: usize, timeout: Duration) -> Self {
        self.upstream = self.upstream.queue_max(calls).queue_timeout(timeout);
        self
    }

    /// How many idle connections of HTTP/1.1 a worker keeps to one endpoint; 0 keeps none.
    pub const fn idle_max(mut self, connections: usize) -> Self {
        self.upstream = self.upstream.idle_max(connections);
        self
    }

    /// How long an idle connection is kept; shorter than its endpoints keep it, so that the gateway closes first.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.upstream = self.upstream.idle_timeout(timeout);
        self
    }

    /// How long a connection may take to be made.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.upstream = self.upstream.connect_timeout(timeout);
        self
    }

    /// Asks its endpoints whether they work; nobody is asked unless set. Of a discovered cluster it is the registry that
    /// knows.
    #[cfg(feature = "health")]
    pub fn health(mut self, health: super::ClusterHealth) -> Self {
        self.health = Some(health);
        self
    }

    /// What it speaks.
    pub const fn protocol(mut self, protocol: Protocol) -> Self {
        self.upstream = self.upstream.protocol(protocol);
        self
    }
}

/// Whether a running cluster may be kept for another definition.
impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        #[cfg(feature = "health")]
        if self.health != other.health {
            return false;
        }
        let breaker = |cluster: &Self| cluster.breaker.as_ref().map(Breaker::says);
        self.name == other.name
            && self.source == other.source
            && self.load_balancing == other.load_balancing
            && self.hash_by == other.hash_by
            && self.timeout == other.timeout
            && self.upstream == other.upstream
            && breaker(self) == breaker(other)
    }
}

impl Breaker {
    /// Settings have no equality of their own; what they say of themselves is complete.
    fn says(&self) -> String {
        format!("{:?}", (self.0)(CircuitBreaker::builder("settings")))
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says())
    }
}
