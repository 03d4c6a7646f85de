//! Limits that several gateways share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    route::RateLimitKey,
    values::{SecretText, Time},
};

/// The Redis in which gateways count together. It is asked for the first time by the first request that is counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RedisConfig {
    /// `redis://[user:password@]host:port/database`; required, and a secret.
    pub url: Option<SecretText>,
    /// What every key in Redis begins with; `msf:limit` unless set. Gateways count together if it is the same.
    pub prefix: Option<String>,
    /// How long a request waits for its count; 20 ms unless set.
    pub timeout: Option<Time>,
    /// How long an attempt to connect may take, for which requests do not wait longer than `timeout`; 1 s unless set.
    pub connect_timeout: Option<Time>,
    /// How many gateways share the limits, so that each counts its part of them while Redis does not answer; 1 unless
    /// set, which is the whole limit for each.
    pub instances: Option<u32>,
}

/// How often a caller may come, counted by all gateways of one Redis together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SharedRateLimitConfig {
    /// How many requests; required.
    pub requests: Option<u32>,
    /// Per which time; 1 s unless set.
    pub per: Option<Time>,
    /// How many at once; as many as `requests` unless set.
    pub burst: Option<u32>,
    /// Who is counted; by address unless set.
    pub by: RateLimitKey,
    /// The name of the limit in Redis and in what clients are told; the id of the route unless set. Routes with one name
    /// count together.
    pub name: Option<String>,
    /// What happens while Redis does not answer.
    pub on_failure: OnRedisFailure,
}

/// What happens to requests while Redis does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnRedisFailure {
    /// This gateway counts its part of the limit by itself.
    #[default]
    Share,
    /// They pass uncounted.
    Allow,
    /// They are refused with 503: for what must not be exceeded by anybody.
    Refuse,
}
