//! Routes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
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
    /// Sends a short-lived token for the service in place of the caller's.
    pub internal_identity: bool,
    /// How often a caller may come.
    pub rate_limit: Option<RateLimitConfig>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// A redirect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RedirectConfig {
    /// The target: a URL, or a path, which may use captures.
    pub to: String,
    /// The status; 302 unless set.
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
}

/// A copy of some requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MirrorConfig {
    /// The cluster or service that gets the copies.
    pub to: String,
    /// How many of a hundred requests are copied; all unless set.
    pub percent: Option<f32>,
}

short_form! {
    RedirectConfig, "a URL or a path, or a table with `to` and `status`",
    to => RedirectConfig { to: to.to_owned(), status: None },
    struct Full { to: String, status: Option<u16> }
}

short_form! {
    MirrorConfig, "a cluster, or a table with `to` and `percent`",
    to => MirrorConfig { to: to.to_owned(), percent: None },
    struct Full { to: String, percent: Option<f32> }
}
