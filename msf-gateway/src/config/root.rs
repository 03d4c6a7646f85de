//! The file as a whole.

use std::{collections::BTreeMap, net::SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AuthConfig, ClusterConfig, ConnectionsConfig, InternalIdentityConfig, ProxyProtocolConfig,
    RedisConfig, RegistryConfig, RouteConfig, TlsConfig,
    values::{SecretText, Size, Texts, Time},
};

/// A whole gateway, as it is written in a file.
///
/// The fields are what was written; [`load`](Self::load) checks them, and [`build`](Self::build) makes a
/// [`Gateway`](crate::Gateway) of them. The [module documentation](super) has the keys with their defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct GatewayConfig {
    /// How many threads serve; one per core unless set. A change needs a restart.
    pub workers: Option<usize>,
    /// In which zone the gateway runs, 1 to 64 bytes: instances there are preferred; none unless set. For the services of
    /// `registry` a change needs a restart.
    pub zone: Option<String>,
    /// Where the world finds the gateway. A change needs a restart.
    pub listeners: Vec<ListenerConfig>,
    /// Where its operators find it; nowhere unless set. A change needs a restart.
    pub admin: Option<AdminConfig>,
    /// How the gateway ends. A change needs a restart.
    pub drain: DrainConfig,
    /// What is written about each request. A change needs a restart.
    pub access_log: Option<AccessLogConfig>,
    /// What routes that do not say otherwise have.
    pub defaults: DefaultsConfig,
    /// The upstreams, by their names.
    pub clusters: BTreeMap<String, ClusterConfig>,
    /// Which requests go where.
    pub routes: Vec<RouteConfig>,
    /// Whose tokens are believed.
    pub auth: Option<AuthConfig>,
    /// Where clusters with `discover` and services without a cluster are found. A change needs a restart.
    pub registry: Option<RegistryConfig>,
    /// Who mints the tokens of routes with `internal_identity`.
    pub internal_identity: Option<InternalIdentityConfig>,
    /// Where the counts of `shared_rate_limit` are.
    pub redis: Option<RedisConfig>,
    /// The connections to all upstreams. A change needs a restart.
    pub connections: ConnectionsConfig,
    /// Headers that no client may send beside the built-in list, such as `x-tenant`; each stands for all that begin with
    /// it.
    pub identity_headers: Texts,
    /// Whether services get `X-Gateway-Request-ID` and `X-Gateway-Timestamp`; yes unless set.
    pub gateway_headers: Option<bool>,
    /// Whether the trace and request id of callers are taken over, which is for gateways that only services call. A change
    /// needs a restart.
    pub trust_trace: bool,
    /// Whether `/metrics` is answered on the public listener too; no unless set.
    pub expose_metrics: bool,
}

/// One address of the gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ListenerConfig {
    /// The address and port, such as `0.0.0.0:8080`; required.
    #[schemars(with = "Option<String>")]
    pub bind: Option<SocketAddr>,
    /// The proxies in front, as addresses or blocks such as `10.0.0.0/8`, whose word about the client is
    /// believed; nobody unless set.
    pub trusted_proxies: Texts,
    /// Whether something in front ends TLS for all clients, so that services are told `https`. A listener with `tls` says
    /// so anyway.
    pub https: bool,
    /// Whether services are told `Forwarded` (RFC 7239) beside `X-Forwarded-*`.
    pub forwarded: bool,
    /// What clients are granted.
    pub limits: ListenerLimits,
    /// The certificates, for a listener that speaks TLS. Whether it does needs a restart to change.
    pub tls: Option<TlsConfig>,
    /// The balancers that say by the PROXY protocol whose each connection is; not expected unless set. A change
    /// needs a restart.
    pub proxy_protocol: Option<ProxyProtocolConfig>,
    /// The port, usually 443, at which clients are sent to `https`, whatever they ask for; they are not unless set.
    pub redirect_to_https: Option<u16>,
}

/// What a listener grants its clients; a key that is left out has the default of `msf_core::server::Limits`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ListenerLimits {
    /// Connections open at once; 10 000 unless set.
    pub connections_max: Option<u32>,
    /// Connections open at once from one address, or from one /64 of IPv6; half of `connections_max` unless set, 0 for no
    /// cap. Those of `trusted_proxies` are not counted.
    pub connections_per_address_max: Option<u32>,
    /// Time for the head of a request; 10 s unless set.
    pub header_timeout: Option<Time>,
    /// Time that a connection may be open without a request; 75 s unless set.
    pub idle_timeout: Option<Time>,
    /// Time between two pieces of a request's body; 30 s unless set.
    pub body_timeout: Option<Time>,
    /// Bytes of a request's body per second, over each `body_rate_window` in which it is waited for; 512 unless set, 0 for
    /// none. gRPC is exempt.
    pub body_rate_min: Option<u32>,
    /// Over which time the rate of a body is looked at; 30 s unless set.
    pub body_rate_window: Option<Time>,
    /// Time that a client may leave sent bytes unacknowledged; 30 s unless set.
    pub write_timeout: Option<Time>,
    /// Bytes of a request's head; 32 KiB unless set, 8 KiB at least.
    pub header_limit: Option<Size>,
    /// Requests at once on one HTTP/2 connection; 200 unless set.
    pub http2_streams_max: Option<u32>,
    /// Requests that one HTTP/2 connection may begin and give up, beyond those it lets end; 500 unless set.
    pub http2_resets_max: Option<u32>,
}

/// The listener of the operators.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AdminConfig {
    /// The address and port, such as `127.0.0.1:9901`; required.
    #[schemars(with = "Option<String>")]
    pub bind: Option<SocketAddr>,
    /// The token that operators send as a bearer; required unless the address is of the loopback.
    pub token: Option<SecretText>,
}

/// How the gateway ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DrainConfig {
    /// How long `/readyz` fails before the listener closes; 0 s unless set.
    pub delay: Option<Time>,
    /// How long requests may take to end after that; 15 s unless set.
    pub timeout: Option<Time>,
}

/// What is written about each request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AccessLogConfig {
    /// A line with `{fields}`; a JSON object per request unless set.
    pub template: Option<String>,
    /// The file that lines are appended to; the standard output unless set.
    pub file: Option<String>,
    /// How many lines may wait for a slow output; further ones are dropped and counted. 8192 unless set.
    pub capacity: Option<usize>,
    /// Of so many requests that did not fail one is written, and failures always; 1 unless set.
    pub sample: Option<u32>,
}

/// What routes have that do not say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DefaultsConfig {
    /// How long a service may take to begin its answer; 5 s unless set.
    pub timeout: Option<Time>,
    /// How many bytes the body of a request may have; 2 MiB unless set.
    pub body_limit: Option<Size>,
    /// Who may pass, as the text of a policy; nobody is passed by accident.
    pub policy: Option<String>,
}
