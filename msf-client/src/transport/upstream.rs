//! How one callee is spoken to.

use std::time::Duration;

use super::{builder::Settings, pool::PoolLimits};

/// What is spoken on a connection.
///
/// ```
/// use msf_client::transport::Protocol;
///
/// assert_eq!(Protocol::default(), Protocol::Http1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1: one exchange at a time on each connection.
    #[default]
    Http1,
    /// HTTP/2 without TLS and without an upgrade, which both sides have to know of (RFC 9113 section
    /// 3.3): many exchanges at a time on each connection, and what gRPC needs.
    H2c,
}

/// How one callee is spoken to, where that differs from what the [`ConnectionsBuilder`] says.
///
/// The limits hold for each address of the callee and for each [`Connections`], of which a process
/// usually has one per thread.
///
/// ```
/// use std::time::Duration;
/// use msf_client::transport::{Protocol, Upstream};
///
/// let reports = Upstream::new()
///     .protocol(Protocol::H2c)
///     .max_connections(4)
///     .queue_max(16)
///     .queue_timeout(Duration::from_millis(200));
/// assert_ne!(reports, Upstream::new());
/// ```
///
/// [`Connections`]: super::Connections
/// [`ConnectionsBuilder`]: super::ConnectionsBuilder
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "settings do nothing until a request is sent with them"]
pub struct Upstream {
    protocol: Option<Protocol>,
    connect_timeout: Option<Duration>,
    max_connections: Option<usize>,
    queue_max: Option<usize>,
    queue_timeout: Option<Duration>,
    idle_max: Option<usize>,
    idle_timeout: Option<Duration>,
}

/// What holds for one request, once all defaults are in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    pub(super) protocol: Protocol,
    pub(super) connect_timeout: Duration,
    pub(super) max_connections: usize,
    pub(super) queue_max: usize,
    pub(super) queue_timeout: Duration,
    pub(super) pool: PoolLimits,
}

impl Upstream {
    /// As the [`ConnectionsBuilder`](super::ConnectionsBuilder) says.
    pub const fn new() -> Self {
        Self {
            protocol: None,
            connect_timeout: None,
            max_connections: None,
            queue_max: None,
            queue_timeout: None,
            idle_max: None,
            idle_timeout: None,
        }
    }

    /// What is spoken.
    pub const fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// How long a connection may take to be established.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How many connections there are per address at most, at least 1.
    pub const fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = Some(max);
        self
    }

    /// How many requests wait per address when all connections are in use; 0 lets none wait.
    pub const fn queue_max(mut self, max: usize) -> Self {
        self.queue_max = Some(max);
        self
    }

    /// How long a request waits for a connection.
    pub const fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.queue_timeout = Some(timeout);
        self
    }

    /// How many idle connections of HTTP/1.1 are kept per address; 0 keeps none. Callees that share an address have what
    /// the last one said that connected.
    pub const fn idle_max(mut self, max: usize) -> Self {
        self.idle_max = Some(max);
        self
    }

    /// How long an idle connection is kept; it is closed within one and a half times that. Shorter than the callee keeps
    /// it, so that the client closes first.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    pub(super) fn resolve(&self, settings: &Settings) -> Hop {
        let defaults = &settings.hop;
        Hop {
            protocol: self.protocol.unwrap_or(defaults.protocol),
            connect_timeout: self.connect_timeout.unwrap_or(defaults.connect_timeout),
            max_connections: self
                .max_connections
                .unwrap_or(defaults.max_connections)
                .max(1),
            queue_max: self.queue_max.unwrap_or(defaults.queue_max),
            queue_timeout: self.queue_timeout.unwrap_or(defaults.queue_timeout),
            pool: PoolLimits {
                idle_per_host_max: self.idle_max.unwrap_or(defaults.pool.idle_per_host_max),
                idle_timeout: self.idle_timeout.unwrap_or(defaults.pool.idle_timeout),
            },
        }
    }
}
