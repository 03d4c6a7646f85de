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

mod auth;
mod build;
mod cluster;
mod diff;
mod error;
mod load;
mod places;
mod root;
mod route;
mod schema;
mod short;
mod target;
mod text_match;
mod values;

pub use self::{
    auth::{AuthConfig, IssuerConfig, RegistryConfig},
    cluster::{
        BreakerConfig, ClusterConfig, ClusterLimits, EndpointConfig, HealthConfig,
        LoadBalancingConfig, OutlierConfig, ProtocolConfig,
    },
    diff::Change,
    error::{ConfigErrors, ConfigProblem},
    root::{
        AccessLogConfig, AdminConfig, DefaultsConfig, DrainConfig, GatewayConfig, ListenerConfig,
        ListenerLimits,
    },
    route::{
        CorsConfig, HeadersConfig, HedgeConfig, IpConfig, MaintenanceConfig, MatchConfig,
        MirrorConfig, RateLimitConfig, RateLimitKey, RedirectConfig, RespondConfig, RetryConfig,
        RouteConfig,
    },
    target::{TargetConfig, WeightedConfig},
    text_match::{PathMatch, ValueMatch},
    values::{SecretText, Size, Texts, Time},
};
pub(crate) use self::{build::Assembly, places::Places};
