//! Gateways from TOML and JSON.
//!
//! ```
//! use msf_gateway::config::GatewayConfig;
//!
//! let config = GatewayConfig::load("gateway.toml", r#"
//!     workers = 1
//!     [[listeners]]
//!     bind = "127.0.0.1:8080"
//!     [admin]
//!     bind = "127.0.0.1:9901"
//!     [clusters.users]
//!     endpoints = ["http://127.0.0.1:9001"]
//!     [[routes]]
//!     id = "users"
//!     match = { path = "/api/users/**" }
//!     to = "users"
//! "#)?;
//! assert_eq!(config.routes.len(), 1);
//! # Ok::<(), msf_gateway::config::ConfigErrors>(())
//! ```
//!
//! The `Config` types are what can be written, each key with its default; [`GatewayConfig::schema`] says the same to an
//! editor. A file is TOML, or JSON if its name ends in `.json`. A key can also be set by a variable such as
//! `MSF_GATEWAY__WORKERS`, and secrets are best written as `env:NAME` or `file:/path`.
//!
//! # Who may pass
//!
//! Without an `[auth]` every route is public, since nobody could be told from anybody else; the log says so at the start.
//! With one, a route says `policy = ".."` or `public = true`, or `defaults.policy` says it for all; a route that says
//! nothing is an error.
//!
//! # What is wrong
//!
//! Everything is told at once ([`ConfigErrors`]), with key, line and way out: unknown keys, unknown clusters, routes that
//! no request reaches. Where an element of a list cannot be read at all, the checks of the others wait for that.
//!
//! # What cannot be said
//!
//! Code: layers and plugins.

mod auth;
mod build;
mod cluster;
mod diff;
mod error;
mod listener;
mod load;
mod places;
mod root;
mod route;
mod schema;
mod shared_limit;
mod short;
mod target;
mod text_match;
mod values;

#[cfg(feature = "testing")]
pub(crate) use self::build::dry;
#[cfg(feature = "tls")]
pub(crate) use self::build::running_places;
pub use self::{
    auth::{AuthConfig, InternalIdentityConfig, IssuerConfig, RegistryConfig},
    cluster::{
        BreakerConfig, ClusterConfig, ClusterLimits, ConnectionsConfig, EndpointConfig,
        HealthConfig, LoadBalancingConfig, OutlierConfig, ProtocolConfig, SlowStartConfig,
        ZoneAwareConfig,
    },
    diff::Change,
    error::{ConfigErrors, ConfigProblem},
    listener::{
        CertificateConfig, ClientCertificatesConfig, ProxyProtocolConfig, TlsConfig, TlsVersion,
    },
    root::{
        AccessLogConfig, AdminConfig, DefaultsConfig, DrainConfig, GatewayConfig, ListenerConfig,
        ListenerLimits,
    },
    route::{
        CorsConfig, HeadersConfig, HedgeConfig, IpConfig, MaintenanceConfig, MatchConfig,
        MirrorConfig, RateLimitConfig, RateLimitKey, RedirectConfig, RespondConfig, RetryConfig,
        RouteConfig,
    },
    shared_limit::{OnRedisFailure, RedisConfig, SharedRateLimitConfig},
    target::{TargetConfig, WeightedConfig},
    text_match::{PathMatch, ValueMatch},
    values::{SecretText, Size, Texts, Time},
};
pub(crate) use self::{
    build::{Assembly, says_spread},
    places::Places,
};
