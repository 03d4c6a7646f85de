//! What can be wrong with a cluster.

use msf_core::name::InvalidName;

/// A cluster that cannot work.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCluster {
    /// The same name or the same endpoint is there twice.
    #[error("{0} is there twice")]
    Duplicate(String),
    /// An endpoint that cannot be called.
    #[error("{endpoint:?} is no endpoint: {reason}")]
    Endpoint {
        /// The endpoint as it was written.
        endpoint: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The health checks.
    #[error("the health checks cannot work: {0}")]
    Health(String),
    /// The settings of the balance.
    #[error("the load balancing cannot work: {0}")]
    LoadBalancing(String),
    /// The name is none.
    #[error("the name is not valid: {0}")]
    Name(#[from] InvalidName),
    /// It has no endpoint and is not discovered.
    #[error("it has no endpoint")]
    NoEndpoints,
    /// A setting that is out of its range.
    #[error("`{setting}` must be {allowed}")]
    OutOfRange {
        /// The setting, by the name of its setter.
        setting: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
    /// A setting of the calls, such as of the breaker.
    #[error("it cannot be called so: {0}")]
    Settings(String),
}
