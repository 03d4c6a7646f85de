//! Routes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    shared_limit::SharedRateLimitConfig,
    short::short_form,
    target::TargetConfig,
    text_match::{PathMatch, ValueMatch},
    values::{Size, Texts, Time},
};

/// One rule: which requests it takes, who may send them, and what becomes of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RouteConfig {
    /// Its name in logs, metrics and messages; its path unless set.
    pub id: Option<String>,
    /// Which requests it takes; required.
    pub r#match: Option<MatchConfig>,
    /// The cluster or service that answers, or several with their weights.
    pub to: Option<TargetConfig>,
    /// Answers with a redirect instead of forwarding.
    pub redirect: Option<RedirectConfig>,
    /// Answers directly instead of forwarding.
    pub respond: Option<RespondConfig>,
    /// Answers 503 instead of forwarding, for as long as it is there.
    pub maintenance: Option<MaintenanceConfig>,

    /// Everybody may pass; tokens are not looked at.
    pub public: bool,
    /// Who may pass, such as `scope(orders:read)`; see `msf_auth::policy`.
    pub policy: Option<String>,
    /// Sends a short-lived token for the service in place of the caller's; needs `[internal_identity]`.
    pub internal_identity: bool,
    /// How often a caller may come.
    pub rate_limit: Option<RateLimitConfig>,
    /// How often a caller may come to all gateways together; needs `[redis]`.
    pub shared_rate_limit: Option<SharedRateLimitConfig>,
    /// Which pages of other origins may read the answers.
    pub cors: Option<CorsConfig>,
    /// Which addresses may come.
    pub ip: Option<IpConfig>,

    /// How long the service may take to begin its answer; `defaults.timeout` unless set.
    pub timeout: Option<Time>,
    /// When a call is tried again.
    pub retry: Option<RetryConfig>,
    /// When a slow call gets a second attempt beside it.
    pub hedge: Option<HedgeConfig>,
    /// How many bytes the body of a request may have; `defaults.body_limit` unless set.
    pub body_limit: Option<Size>,

    /// Forwards what comes after the prefix of the route.
    pub strip_prefix: bool,
    /// Forwards the prefix of the route as this one.
    pub replace_prefix: Option<String>,
    /// Forwards this path, which may use captures: `/x/{id}`.
    pub rewrite: Option<String>,
    /// Changes to the headers of the request.
    pub request_headers: Option<HeadersConfig>,
    /// Changes to the headers of the answer.
    pub response_headers: Option<HeadersConfig>,

    /// Sends a copy of some requests elsewhere, and drops the answers.
    pub mirror: Option<MirrorConfig>,
    /// Protocols that clients may switch to, such as `websocket`; none unless set.
    pub upgrade: Texts,
    /// How long a connection that was switched may be silent in both directions; 1 h unless set.
    pub upgrade_idle_timeout: Option<Time>,
    /// Takes a request before routes that are as specific but have a higher number; 0 unless set.
    pub order: Option<i32>,
}

/// Which requests a route takes: those that all of it matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MatchConfig {
    /// The host, such as `api.shop.example` or `*.shop.example`; any unless set.
    pub host: Option<String>,
    /// The path; all unless set.
    pub path: Option<PathMatch>,
    /// The methods; all unless set.
    pub methods: Texts,
    /// Headers by their names.
    pub header: BTreeMap<String, ValueMatch>,
    /// Query parameters by their names.
    pub query: BTreeMap<String, ValueMatch>,
    /// Cookies by their names.
    pub cookie: BTreeMap<String, ValueMatch>,
}

/// How often a caller may come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RateLimitConfig {
    /// How many requests; required.
    pub requests: Option<u32>,
    /// Per which time; 1 s unless set.
    pub per: Option<Time>,
    /// How many at once; as many as `requests` unless set.
    pub burst: Option<u32>,
    /// Who is counted; by address unless set.
    pub by: RateLimitKey,
    /// How many callers are remembered.
    pub max_keys: Option<usize>,
}

/// Whom a rate limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RateLimitKey {
    /// The address of the client.
    #[default]
    Client,
    /// Who the token says the caller is; the address where the route is public.
    Subject,
}

/// When a call is tried again: only what is idempotent or was not sent, and only while the budget lasts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RetryConfig {
    /// All attempts of a call, the first included; 3 unless set.
    pub attempts: Option<u32>,
    /// How long one attempt may take.
    pub attempt_timeout: Option<Time>,
    /// The first wait between attempts, which doubles; 50 ms unless set.
    pub wait: Option<Time>,
    /// The longest wait between attempts; 20 s unless set.
    pub wait_max: Option<Time>,
    /// How many bytes of a body are kept for another attempt; 64 KiB unless set.
    pub body_limit: Option<Size>,
    /// The methods that are tried again; the idempotent ones unless set.
    pub methods: Texts,
    /// The longest `Retry-After` of a service that is waited for; 20 s unless set.
    pub retry_after_max: Option<Time>,
    /// How many additional attempts there may be per call, 0 to 10; that of the service, 0.2 and shared with its other
    /// routes, unless set.
    pub budget: Option<f64>,
}

/// When a slow call gets a second attempt beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HedgeConfig {
    /// After which time a call is slow; after that of the quantile unless set.
    pub after: Option<Time>,
    /// Slower than this share of the calls is slow; 0.95 unless set.
    pub quantile: Option<f64>,
    /// How many additional attempts a call may have; 1 unless set.
    pub attempts: Option<u32>,
    /// How many calls must have been seen before a quantile is believed; 100 unless set.
    pub min_samples: Option<u32>,
    /// The shortest wait that a quantile gives; 1 ms unless set.
    pub min_delay: Option<Time>,
    /// How far back calls count for the quantile; 30 s unless set.
    pub window: Option<Time>,
}

/// Which pages of other origins may read the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CorsConfig {
    /// Origins such as `https://shop.example`, or `*` for all; required.
    pub origins: Texts,
    /// Methods beside the simple ones; those of the route unless set.
    pub methods: Texts,
    /// Headers that requests may have.
    pub headers: Texts,
    /// Headers of answers that pages may read.
    pub expose: Texts,
    /// Whether requests may carry cookies and tokens; not together with the origin `*`.
    pub credentials: bool,
    /// How long a browser may remember the answer.
    pub max_age: Option<Time>,
}

/// Which addresses may come: those in `allow`, all if that is empty, without those in `deny`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct IpConfig {
    /// Addresses and blocks such as `10.0.0.0/8`.
    pub allow: Texts,
    /// Addresses and blocks.
    pub deny: Texts,
}

/// Changes to headers; in this order: remove, set, add. Values may use `{captures}`, `{client_ip}` and
/// `{request_id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HeadersConfig {
    /// Headers that get this value in place of whatever they had.
    pub set: BTreeMap<String, String>,
    /// Headers that get this value beside those they have.
    pub add: BTreeMap<String, String>,
    /// Headers that are taken out.
    pub remove: Texts,
}

/// A redirect: to a whole target with `to`, or to what the client asked for with other parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RedirectConfig {
    /// The target: a URL, or a path, which may use captures.
    pub to: Option<String>,
    /// Another path, which may use captures.
    pub path: Option<String>,
    /// Another prefix in the place of that of the route.
    pub prefix: Option<String>,
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// Another host.
    pub host: Option<String>,
    /// Another port.
    pub port: Option<u16>,
    /// The status; 307 unless set.
    pub status: Option<u16>,
}

/// An answer of the gateway's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RespondConfig {
    /// The status; 200 unless set.
    pub status: Option<u16>,
    /// The body; none unless set.
    pub body: Option<String>,
    /// The type of the body; `text/plain; charset=utf-8` unless set.
    pub content_type: Option<String>,
    /// Answers with a problem of this code, such as `gone`, instead of a status and a body.
    pub problem: Option<String>,
    /// What the problem says besides.
    pub detail: Option<String>,
}

/// A route that is out of service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MaintenanceConfig {
    /// When clients may come back, as `Retry-After`.
    pub retry_after: Option<Time>,
    /// What they are told.
    pub message: Option<String>,
    /// Addresses and blocks of clients that are served all the same.
    pub except: Texts,
}

/// A copy of some requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MirrorConfig {
    /// The cluster or service that gets the copies.
    pub to: String,
    /// How many of a hundred requests are copied; all unless set.
    pub percent: Option<f64>,
    /// How many bytes the body of a request may have to be copied, at most 1 MiB; 64 KiB unless set.
    pub body_max: Option<Size>,
    /// How many copies may be under way at once, 1 to 10 000; 64 unless set.
    pub in_flight_max: Option<usize>,
    /// How long a copy may take, its answer included; 5 s unless set.
    pub timeout: Option<Time>,
}

short_form! {
    RedirectConfig, "a URL or a path, or a table with `to`, or with `path`, `prefix`, `scheme`, `host` and `port`",
    to => RedirectConfig { to: Some(to.to_owned()), ..RedirectConfig::default() },
    struct Full {
        to: Option<String>,
        path: Option<String>,
        prefix: Option<String>,
        scheme: Option<String>,
        host: Option<String>,
        port: Option<u16>,
        status: Option<u16>,
    }
}

short_form! {
    MirrorConfig, "a cluster, or a table with `to`, `percent`, `body_max`, `in_flight_max` and `timeout`",
    to => MirrorConfig { to: to.to_owned(), ..MirrorConfig::default() },
    struct Full {
        to: String,
        percent: Option<f64>,
        body_max: Option<Size>,
        in_flight_max: Option<usize>,
        timeout: Option<Time>,
    }
}
