//! What a server grants its clients.

use std::time::Duration;

/// The limits of a server. Every wait and every size has one.
///
/// A timeout is at least 1 ms and at most [`Limits::TIMEOUT_MAX`], whatever was asked for: there is no
/// way to say "never".
///
/// | limit | default | why |
/// |---|---|---|
/// | `connections_max` | 10 000 | half-read heads of 32 KiB each are 320 MB at worst; further clients wait in the kernel's queue |
/// | `header_timeout` | 10 s | an honest head fits into one round trip; slow ones are attacks |
/// | `idle_timeout` | 75 s | longer than the 60 s of common load balancers, so that they close first |
/// | `connections_per_address_max` | none | a service is called by a few gateways, which have all connections; a gateway has a cap |
/// | `body_timeout` | 30 s | between two pieces of a request body |
/// | `body_rate_min` | 512 bytes/s | below what GPRS brings; ten thousand slow uploads cost who sends them 40 Mbit/s |
/// | `body_rate_window` | 30 s | over which the rate is looked at: a stall on the way is no attack |
/// | `write_timeout` | 30 s | unacknowledged bytes of a response (`TCP_USER_TIMEOUT`, Linux), and an HTTP/2 stream whose window takes nothing of it |
/// | `header_limit` | 32 KiB | request line and fields together |
/// | `body_limit` | 2 MiB | what a JSON service needs; uploads raise it |
/// | `http2_streams_max` | 200 | requests at once on one HTTP/2 connection |
/// | `http2_resets_max` | 500 | requests that one HTTP/2 connection begins and gives up, beyond those it lets end: a browser that leaves a page of 200 pictures twice is below it (CVE-2023-44487, CVE-2025-8671) |
///
/// ```
/// use std::time::Duration;
/// use msf_core::server::Limits;
///
/// let limits = Limits::default().body_limit(64 << 20).idle_timeout(Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) connections_max: u32,
    pub(crate) connections_per_address_max: Option<u32>,
    pub(crate) header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) body_rate_min: u32,
    pub(crate) body_rate_window: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) header_limit: usize,
    pub(crate) body_limit: usize,
    pub(crate) http2_streams_max: u32,
    pub(crate) http2_resets_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_address_max: None,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            body_rate_min: 512,
            body_rate_window: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            header_limit: 32 << 10,
            body_limit: 2 << 20,
            http2_streams_max: 200,
            http2_resets_max: 500,
        }
    }
}

impl Limits {
    /// The smallest header limit: the protocol library reads at least this much at once.
    pub const HEADER_LIMIT_MIN: usize = 8 << 10;

    /// The longest timeout: one day.
    pub const TIMEOUT_MAX: Duration = Duration::from_secs(86_400);

    /// Connections open at once, at least 1; the server accepts no more until one closes.
    #[must_use]
    pub fn connections_max(mut self, connections: u32) -> Self {
        self.connections_max = connections.max(1);
        self
    }

    /// Connections open at once from one address, or from one /64 of IPv6; 0 is no cap. One more is closed at once:
    /// it must not take the place of others while it waits.
    ///
    /// Each [place](super::Listener::place) of a listener has a count of its own.
    ///
    /// Behind a proxy all clients have its address: let [`Server::uncapped`](super::Server::uncapped) know it. Whom a
    /// balancer names by the [PROXY protocol](super::ProxyProtocol) is counted by its own address; connections for which it
    /// names nobody are not counted.
    #[must_use]
    pub const fn connections_per_address_max(mut self, connections: u32) -> Self {
        self.connections_per_address_max = Some(connections);
        self
    }

    /// The cap for each address where [`connections_per_address_max`](Self::connections_per_address_max) says
    /// nothing: half of all connections, so that no single address takes the place of all others.
    #[must_use]
    pub fn or_half_per_address(mut self) -> Self {
        let half = self.connections_max.div_ceil(2);
        self.connections_per_address_max.get_or_insert(half);
        self
    }

    /// Time for a request's head to arrive in full, from its first byte; for the first request of a
    /// connection, from the accept.
    #[must_use]
    pub const fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = bounded(timeout);
        self
    }

    /// Time that a connection may stay open without a request.
    #[must_use]
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = bounded(timeout);
        self
    }

    /// Time between two pieces of a request body.
    #[must_use]
    pub const fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = bounded(timeout);
        self
    }

    /// Bytes per second of a request body, over each [`body_rate_window`](Self::body_rate_window) in which it was
    /// waited for; 0 is none. Less is answered with 408.
    ///
    /// gRPC over HTTP/2 is exempt, whose streams are open while nothing is to be said; for it `body_timeout` holds.
    #[must_use]
    pub const fn body_rate_min(mut self, bytes_per_second: u32) -> Self {
        self.body_rate_min = bytes_per_second;
        self
    }

    /// Over which time the rate of a body is looked at.
    #[must_use]
    pub const fn body_rate_window(mut self, window: Duration) -> Self {
        self.body_rate_window = bounded(window);
        self
    }

    /// Time that a client may leave sent bytes unacknowledged, and a stream of HTTP/2 that has something to send without
    /// a window for it.
    ///
    /// For TCP the connection ends (Linux); a stream is reset, and counted as
    /// [`Refusal::ResponseStalled`](super::Refusal::ResponseStalled). A stream waits up to four times as long while
    /// others of its connection go on or the socket is full, since their turn may come first. A response that has
    /// nothing to send for now, such as server-sent events, waits for the service and not for the client: it may take as
    /// long as it likes.
    #[must_use]
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = bounded(timeout);
        self
    }

    /// Bytes of a request's head, at least [`Limits::HEADER_LIMIT_MIN`]; more is answered with 431.
    #[must_use]
    pub fn header_limit(mut self, bytes: usize) -> Self {
        self.header_limit = bytes.max(Self::HEADER_LIMIT_MIN);
        self
    }

    /// Bytes of a request's body; more is answered with 413.
    #[must_use]
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Requests at once on one HTTP/2 connection.
    #[must_use]
    pub fn http2_streams_max(mut self, streams: u32) -> Self {
        self.http2_streams_max = streams.max(1);
        self
    }

    /// Requests that one HTTP/2 connection may begin and give up, beyond those that it lets end; then it is cut. As
    /// many streams may be ended for wrong frames.
    #[must_use]
    pub fn http2_resets_max(mut self, resets: u32) -> Self {
        self.http2_resets_max = resets.max(1);
        self
    }
}

/// Zero would spin, and what is added to an instant must not overflow it.
pub(super) const fn bounded(timeout: Duration) -> Duration {
    if timeout.as_nanos() < TIMEOUT_MIN.as_nanos() {
        TIMEOUT_MIN
    } else if timeout.as_nanos() > Limits::TIMEOUT_MAX.as_nanos() {
        Limits::TIMEOUT_MAX
    } else {
        timeout
    }
}

const TIMEOUT_MIN: Duration = Duration::from_millis(1);
