//! The settings of the resolver.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
};
use msf_core::name::ServiceName;

use super::{
    query::{Query, Records},
    registry::DnsRegistry,
};
use crate::model::Scheme;

/// Builds a [`DnsRegistry`]. Made by [`DnsRegistry::builder`].
///
/// ```
/// use std::time::Duration;
/// use msf_registry::{Scheme, backend::dns::{DnsRegistry, Query}};
///
/// let registry = DnsRegistry::builder(Query::srv("_grpc._tcp.{service}.prod.example.com"))
///     .server("127.0.0.1:8600".parse()?)
///     .scheme(Scheme::Grpc)
///     .ttl_bounds(Duration::from_secs(2), Duration::from_secs(30))
///     .build()?;
/// # drop(registry);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DnsRegistryBuilder {
    pub(super) query: Query,
    pub(super) queries: BTreeMap<ServiceName, Query>,
    servers: Vec<SocketAddr>,
    pub(super) scheme: Scheme,
    pub(super) family: AddressFamily,
    pub(super) ttl_min: Duration,
    pub(super) ttl_max: Duration,
    pub(super) negative_ttl_max: Duration,
    attempt_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) instances_max: usize,
}

/// Which addresses of a host are used.
///
/// A host with addresses of both families is one process, so only one of the families is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressFamily {
    /// IPv4, and IPv6 of a host without IPv4.
    #[default]
    V4First,
    /// IPv6, and IPv4 of a host without IPv6.
    V6First,
    /// IPv4 only.
    V4Only,
    /// IPv6 only.
    V6Only,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDns {
    /// No name can be made of the template.
    #[error("no name can be made of the template {template:?}: {reason}")]
    Template {
        /// What was given.
        template: String,
        /// What is wrong with it.
        reason: String,
    },
    /// All services would have the same instances.
    #[error(
        "the template {template:?} does not contain {{service}}, so all services would have the same \
         instances; give it to one service with `of`"
    )]
    Placeholder {
        /// What was given.
        template: String,
    },
    /// Nobody listens there.
    #[error("the port of {template:?} must be 1 to 65535")]
    Port {
        /// The template that the port was given with.
        template: String,
    },
    /// A duration that is out of range.
    #[error("{field} is {value:?}; use {min:?} to {max:?}")]
    Duration {
        /// Which setting.
        field: &'static str,
        /// What was given.
        value: Duration,
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// The limit is out of range.
    #[error("instances_max is {0}; use 1 to {INSTANCES_MAX}")]
    Instances(usize),
    /// The system says nothing about its resolvers, or something that is not understood.
    #[error("the system's resolvers cannot be read; name them with `server`")]
    System(#[source] Box<NetError>),
}

impl DnsRegistryBuilder {
    pub(super) const fn new(query: Query) -> Self {
        Self {
            query,
            queries: BTreeMap::new(),
            servers: Vec::new(),
            scheme: Scheme::Http,
            family: AddressFamily::V4First,
            ttl_min: Duration::from_secs(1),
            ttl_max: Duration::from_secs(60),
            negative_ttl_max: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            instances_max: 1_000,
        }
    }

    /// What is asked for one service, in the place of the query for all.
    pub fn of(mut self, service: ServiceName, query: Query) -> Self {
        self.queries.insert(service, query);
        self
    }

    /// Asks this server, and others that are added; those of the system (`/etc/resolv.conf`, read once)
    /// unless set.
    pub fn server(mut self, server: SocketAddr) -> Self {
        self.servers.push(server);
        self
    }

    /// How instances are spoken to; [`Scheme::Http`] unless set: records do not say it.
    pub const fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Which addresses of a host are used; [`AddressFamily::V4First`] unless set.
    pub const fn family(mut self, family: AddressFamily) -> Self {
        self.family = family;
        self
    }

    /// A list is asked for again after the shortest TTL of its records, but not before `min` and not
    /// after `max`; 1 s and 60 s unless set. Records of TTL 0 would make each look a query, and those of
    /// hours would keep the dead listed. Up to a tenth is added, so that processes which were started
    /// together do not ask together.
    pub const fn ttl_bounds(mut self, min: Duration, max: Duration) -> Self {
        self.ttl_min = min;
        self.ttl_max = max;
        self
    }

    /// After which time at the latest a service without records is asked for again; 10 s unless set.
    /// Zones often say an hour, and a service that starts would stay unseen for as long.
    pub const fn negative_ttl_max(mut self, max: Duration) -> Self {
        self.negative_ttl_max = max;
        self
    }

    /// How long one server may take for one answer; 1 s unless set. Each is asked twice.
    pub const fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// How long a whole list may take, with the addresses of all hosts; 5 s unless set.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many records a service may have, and how many addresses they may lead to; 1 000 unless set, at most
    /// 10 000. More is refused, and the list before it stays in use.
    pub const fn instances_max(mut self, instances: usize) -> Self {
        self.instances_max = instances;
        self
    }

    /// The registry. It asks when it is first used.
    ///
    /// # Errors
    ///
    /// [`InvalidDns`] with the first setting that cannot work.
    pub fn build(self) -> Result<DnsRegistry, InvalidDns> {
        self.check()?;
        let provider = TokioRuntimeProvider::default();
        let mut builder = if self.servers.is_empty() {
            TokioResolver::builder(provider).map_err(system)?
        } else {
            let servers = self.servers.iter().map(server).collect();
            let config = ResolverConfig::from_name_servers(servers);
            TokioResolver::builder_with_config(config, provider)
        };
        let options = builder.options_mut();
        // Our own timetable decides when a name is asked for again.
        options.cache_size = 0;
        options.timeout = self.attempt_timeout;
        options.attempts = 1;
        let resolver = builder.build().map_err(system)?;
        Ok(DnsRegistry::with(self, resolver))
    }

    fn check(&self) -> Result<(), InvalidDns> {
        if !self.query.has_placeholder() {
            let template = self.query.template().to_owned();
            return Err(InvalidDns::Placeholder { template });
        }
        // A name as short as it can be: a long one may still not fit, which its first question says.
        let any = ServiceName::new("a").expect("a letter is a name");
        let own = self.queries.iter();
        for (service, query) in own.chain([(&any, &self.query)]) {
            let template = || query.template().to_owned();
            query.name(service).map_err(|reason| InvalidDns::Template {
                template: template(),
                reason,
            })?;
            if query.records == (Records::Addresses { port: 0 }) {
                let template = template();
                return Err(InvalidDns::Port { template });
            }
        }
        let (short, hour) = (Duration::from_millis(10), Duration::from_secs(3_600));
        for (field, value, min, max) in [
            ("the shortest TTL", self.ttl_min, short, hour),
            ("the longest TTL", self.ttl_max, self.ttl_min, hour),
            (
                "negative_ttl_max",
                self.negative_ttl_max,
                self.ttl_min,
                hour,
            ),
            ("attempt_timeout", self.attempt_timeout, short, LIMIT_MAX),
            ("timeout", self.timeout, self.attempt_timeout, LIMIT_MAX),
        ] {
            if !(min..=max).contains(&value) {
                return Err(InvalidDns::Duration {
                    field,
                    value,
                    min,
                    max,
                });
            }
        }
        if !(1..=INSTANCES_MAX).contains(&self.instances_max) {
            return Err(InvalidDns::Instances(self.instances_max));
        }
        Ok(())
    }
}

/// Over UDP, and over TCP when an answer does not fit.
fn server(addr: &SocketAddr) -> NameServerConfig {
    let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = addr.port();
    }
    NameServerConfig::new(addr.ip(), true, connections.into())
}

fn system(error: NetError) -> InvalidDns {
    InvalidDns::System(Box::new(error))
}

const INSTANCES_MAX: usize = 10_000;
/// Below what the watch takes for a registry that hangs.
const LIMIT_MAX: Duration = Duration::from_secs(25);

#[cfg(test)]
mod tests {
    use super::*;

    fn srv() -> DnsRegistryBuilder {
        DnsRegistry::builder(Query::srv("_http._tcp.{service}.example"))
            .server(([127, 0, 0, 1], 53).into())
    }

    #[tokio::test]
    async fn each_setting_is_checked_and_named() {
        assert!(srv().build().is_ok());
        let second = Duration::from_secs(1);
        let payment = || ServiceName::new("payment").unwrap();
        for (bad, part) in [
            (srv().ttl_bounds(Duration::ZERO, second), "shortest TTL"),
            (srv().ttl_bounds(second * 2, second), "longest TTL"),
            (srv().negative_ttl_max(Duration::ZERO), "negative_ttl_max"),
            (srv().attempt_timeout(Duration::MAX), "attempt_timeout"),
            (srv().timeout(Duration::ZERO), "timeout"),
            (srv().instances_max(0), "instances_max"),
            (
                srv().of(payment(), Query::addresses("a.example", 0)),
                "port",
            ),
            (srv().of(payment(), Query::srv("a..b")), "a..b"),
            (DnsRegistry::builder(Query::srv("a.example")), "{service}"),
        ] {
            let error = bad.build().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
