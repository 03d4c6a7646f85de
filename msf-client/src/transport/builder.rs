//! How the connections behave.

use std::{sync::Arc, time::Duration};

use msf_core::metrics::{Metrics, MetricsError};

use super::{
    Connections, Dial, Protocol, metrics::TransportMetrics, pool::PoolLimits, upstream::Hop,
};

/// Sets up [`Connections`].
///
/// | setting | default | why |
/// |---|---|---|
/// | `protocol` | HTTP/1.1 | every callee speaks it |
/// | `connect_timeout` | 1 s | one lost SYN is repeated after 1 s at the earliest; another instance is faster |
/// | `max_connections` | 1024 | beyond it a callee is not helped by another connection |
/// | `queue_max` | 256 | a burst of a quarter of that passes; more is an overload that waiting makes worse |
/// | `queue_timeout` | 1 s | as for a new connection: another instance is faster |
/// | `streams_max` | 100 | what servers allow at least (RFC 9113 section 6.5.2); the windows are sized for it |
/// | `idle_per_host_max` | 64 | what a burst leaves behind; each costs a socket on both sides |
/// | `idle_timeout` | 30 s | shorter than servers keep theirs (75 s in msf, 60 s or 75 s elsewhere), so that the client closes first |
/// | `body_timeout` | 30 s | between two pieces of an answer, as the server has it for requests |
/// | `header_limit` | 64 KiB | status line and fields of an answer together |
///
/// ```
/// use std::time::Duration;
/// use msf_client::transport::Connections;
///
/// let connections = Connections::builder()
///     .connect_timeout(Duration::from_millis(300))
///     .idle_per_host_max(16)
///     .build();
/// assert_eq!(connections.open(), 0);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct ConnectionsBuilder {
    settings: Settings,
    metrics: Option<TransportMetrics>,
    dial: Option<Arc<dyn Dial>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) hop: Hop,
    pub(super) streams_max: usize,
    pub(super) body_timeout: Duration,
    pub(super) header_limit: usize,
}

impl Default for ConnectionsBuilder {
    fn default() -> Self {
        Self {
            settings: Settings {
                hop: Hop {
                    protocol: Protocol::Http1,
                    connect_timeout: Duration::from_secs(1),
                    max_connections: 1024,
                    queue_max: 256,
                    queue_timeout: Duration::from_secs(1),
                    pool: PoolLimits {
                        idle_per_host_max: 64,
                        idle_timeout: Duration::from_secs(30),
                    },
                },
                streams_max: 100,
                body_timeout: Duration::from_secs(30),
                header_limit: 64 << 10,
            },
            metrics: None,
            dial: None,
        }
    }
}

impl ConnectionsBuilder {
    /// What is spoken to callees that have no [`Upstream`](super::Upstream) of their own.
    pub const fn protocol(mut self, protocol: Protocol) -> Self {
        self.settings.hop.protocol = protocol;
        self
    }

    /// How long a connection may take to be established.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.hop.connect_timeout = timeout;
        self
    }

    /// How many idle connections are kept per callee.
    pub const fn idle_per_host_max(mut self, max: usize) -> Self {
        self.settings.hop.pool.idle_per_host_max = max;
        self
    }

    /// How long an idle connection is kept; it is closed within one and a half times that.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.hop.pool.idle_timeout = timeout;
        self
    }

    /// How many connections there are per callee at most, those in use included; at least 1.
    pub const fn max_connections(mut self, max: usize) -> Self {
        self.settings.hop.max_connections = max;
        self
    }

    /// How many requests wait per callee when all its connections are in use.
    ///
    /// The next one gets [`TransportError::QueueFull`](super::TransportError::QueueFull) at once. With 0
    /// nothing waits, for those whose own limits are to see every overload.
    pub const fn queue_max(mut self, max: usize) -> Self {
        self.settings.hop.queue_max = max;
        self
    }

    /// How long a request waits for a connection before it gets
    /// [`TransportError::QueueTimeout`](super::TransportError::QueueTimeout).
    pub const fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.settings.hop.queue_timeout = timeout;
        self
    }

    /// How many requests share one connection of HTTP/2 at most, at least 1; fewer where the callee says
    /// so. The next connection is opened when four fifths of that are in use.
    pub const fn streams_max(mut self, max: usize) -> Self {
        self.settings.streams_max = max;
        self
    }

    /// How long a reader waits for the next piece of an answer's body.
    pub const fn body_timeout(mut self, timeout: Duration) -> Self {
        self.settings.body_timeout = timeout;
        self
    }

    /// How many bytes the head of an answer may have.
    pub const fn header_limit(mut self, bytes: usize) -> Self {
        self.settings.header_limit = bytes;
        self
    }

    /// Makes connections otherwise than over TCP.
    pub fn dial(mut self, dial: impl Dial) -> Self {
        self.dial = Some(Arc::new(dial));
        self
    }

    /// Counts connections there; several pools of a process share the figures.
    ///
    /// # Errors
    ///
    /// When another metric has one of the names.
    pub fn metrics(mut self, metrics: &Metrics) -> Result<Self, MetricsError> {
        self.metrics = Some(TransportMetrics::register(metrics)?);
        Ok(self)
    }

    /// Makes the connections; none is opened yet.
    #[must_use]
    pub fn build(self) -> Connections {
        let metrics = self.metrics.unwrap_or_else(TransportMetrics::noop);
        Connections::new(self.settings, metrics, self.dial)
    }
}
