//! Upstreams.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    short::short_form,
    values::{Size, Time},
};

/// An upstream: where its instances are, and how they are called.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ClusterConfig {
    /// The instances, such as `http://10.0.0.1:9001`.
    pub endpoints: Vec<EndpointConfig>,
    /// Finds the instances in the registry, by the name of the cluster, instead of `endpoints`.
    pub discover: bool,
    /// How calls are spread; by latency and load unless set.
    pub lb: Option<LoadBalancingConfig>,
    /// What requests are kept together by, with an `lb` by hash: `client`, `path`, `header:NAME` or `cookie:NAME`; the
    /// client's address unless set, and where a request has no such header or cookie.
    pub hash_by: Option<String>,
    /// How many times the average in flight an instance may have, with an `lb` by hash, before the next one is taken; above
    /// 1, without a bound unless set.
    pub bounded_load: Option<f32>,
    /// How much of the calls stays in the `zone` of the gateway.
    pub zone_aware: Option<ZoneAwareConfig>,
    /// How an instance that is new gets its share of the calls by and by; within 30 s unless set.
    pub slow_start: Option<SlowStartConfig>,
    /// Below this part of healthy instances all of them are called again; see the registry for its default.
    pub panic_threshold: Option<f32>,
    /// How many of the instances this gateway uses, chosen at random; all unless set.
    pub subset: Option<usize>,
    /// Asks the instances whether they work; nobody is asked unless set.
    pub health: Option<HealthConfig>,
    /// When an instance whose calls fail is left alone; with defaults unless set.
    pub outlier: Option<OutlierConfig>,
    /// When the whole upstream is given a rest; with defaults unless set.
    pub breaker: Option<BreakerConfig>,
    /// How much of it may be used at once.
    pub limits: ClusterLimits,
    /// What is spoken to it.
    pub protocol: Option<ProtocolConfig>,
    /// How long a connection may take to be established; 1 s unless set.
    pub connect_timeout: Option<Time>,
    /// How long it may take to begin its answer; `defaults.timeout` unless set.
    pub timeout: Option<Time>,
}

/// An instance: a URL, or a table with its weight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EndpointConfig {
    /// `http://` and an address with a port.
    pub url: String,
    /// Its share beside others; 1 unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// The zone that it runs in; those in the gateway's own are preferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// How much of the calls stays in the zone of the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ZoneAwareConfig {
    /// How many instances there must be for zones to matter; 6 unless set.
    pub instances_min: Option<usize>,
    /// How many gateways run in each zone, of which only the proportions count; evenly many unless set.
    pub gateways: BTreeMap<String, u32>,
}

/// How calls are spread over the instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoadBalancingConfig {
    /// The better of two drawn at random, by latency and calls in flight; also `p2c`.
    #[serde(alias = "p2c")]
    PeakEwma,
    /// The better of two drawn at random, by calls in flight.
    LeastRequest,
    /// Each in turn.
    RoundRobin,
    /// One at random.
    Random,
    /// By `hash_by`, from a table: for caches and sessions.
    Maglev,
    /// By `hash_by`, from a ring: fewer requests move when an instance comes or goes, and the shares are less even.
    RingHash,
    /// By `hash_by`, the highest score of all: exact, for few instances.
    Rendezvous,
}

/// What is spoken to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProtocolConfig {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS, known beforehand: what gRPC needs.
    H2c,
}

/// Active health checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HealthConfig {
    /// What is asked: a path for `GET`, `tcp:`, or `grpc:/my.Service`; required.
    pub check: Option<String>,
    /// How often; 10 s unless set.
    pub interval: Option<Time>,
    /// How long an answer may take; 2 s unless set.
    pub timeout: Option<Time>,
    /// How many passes in a row make an instance healthy.
    pub rise: Option<u32>,
    /// How many failures in a row make it unhealthy.
    pub fall: Option<u32>,
}

/// When an instance whose calls fail is left alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OutlierConfig {
    /// Turns it off.
    pub off: bool,
    /// How many failures in a row eject; 5 unless set, 0 for never.
    pub consecutive: Option<u32>,
    /// The part of its peers' success rate below which an instance is ejected; 0.8 unless set, 0 for never.
    pub success_rate: Option<f32>,
    /// How many calls within the window a success rate takes; 20 unless set.
    pub calls_min: Option<u32>,
    /// Over how long the success rate is taken; 10 s unless set.
    pub window: Option<Time>,
    /// How long the first ejection lasts; 10 s unless set.
    pub base: Option<Time>,
    /// How long an ejection lasts at most; 300 s unless set.
    pub max: Option<Time>,
    /// Which part of the instances may be ejected at once; 0.5 unless set.
    pub max_ejected: Option<f32>,
}

/// When a whole upstream is given a rest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// The share of failures that opens the circuit; 0.5 if no other rule is given either.
    pub failure_rate: Option<f64>,
    /// So many failures in a row open the circuit.
    pub consecutive_failures: Option<u32>,
    /// The share of slow calls that opens the circuit; needs `slow_after`.
    pub slow_rate: Option<f64>,
    /// From which time on a call is slow; needs `slow_rate`.
    pub slow_after: Option<Time>,
    /// How far back calls count; 10 s unless set.
    pub window: Option<Time>,
    /// How many calls the window must hold before it is judged; 20 unless set.
    pub min_calls: Option<u32>,
    /// The first open wait; 5 s unless set.
    pub open_for: Option<Time>,
    /// The longest open wait; 60 s unless set.
    pub open_max: Option<Time>,
    /// How many calls probe a half-open circuit; 5 unless set.
    pub half_open_permits: Option<u32>,
}

/// How a new instance gets its share of the calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SlowStartConfig {
    /// Gives it all of its share at once.
    pub off: bool,
    /// How long it takes, at most 1 h; 30 s unless set.
    pub window: Option<Time>,
    /// The part of its share that it has at first, above 0 and at most 1; 0.1 unless set.
    pub min: Option<f32>,
    /// How quickly its part grows at first, 0.1 to 10; 1 unless set, which is a straight line.
    pub aggression: Option<f32>,
}

/// The connections to all upstreams, whatever their own limits are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ConnectionsConfig {
    /// Time between two pieces of the body of an answer; 30 s unless set.
    pub body_timeout: Option<Time>,
    /// Bytes of the head of an answer; 64 KiB unless set.
    pub header_limit: Option<Size>,
    /// Requests at once on one connection of HTTP/2; 100 unless set.
    pub streams_max: Option<usize>,
}

/// How much of an upstream may be used at once, per instance and worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ClusterLimits {
    /// Connections; 1024 unless set.
    pub connections_max: Option<usize>,
    /// Requests that wait for a connection.
    pub queue_max: Option<usize>,
    /// How long they wait.
    pub queue_timeout: Option<Time>,
    /// Idle connections of HTTP/1.1 that are kept; 64 unless set.
    pub idle_max: Option<usize>,
    /// How long they are kept; 30 s unless set.
    pub idle_timeout: Option<Time>,
}

impl From<&str> for EndpointConfig {
    fn from(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            weight: None,
            zone: None,
        }
    }
}

short_form! {
    EndpointConfig, "a URL, or a table with `url`, `weight` and `zone`",
    url => EndpointConfig::from(url),
    struct Full { url: String, weight: Option<u32>, zone: Option<String> }
}
