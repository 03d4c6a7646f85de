//! Where requests go: clusters, which are services with settings.
//!
//! A route leads to a name. A [`Cluster`] of that name says where its endpoints are and how they are called; without
//! one, the name is that of a service in the registry of the gateway's client, called with that client's settings.
//!
//! ```
//! use msf_gateway::Cluster;
//! use msf_registry::{Balance, LoadBalancing};
//!
//! let users = Cluster::new("users")
//!     .endpoint("http://10.0.0.1:9001")
//!     .endpoint("http://10.0.0.2:9001")
//!     .load_balancing(LoadBalancing::new(Balance::LeastRequest))
//!     .breaker(|breaker| breaker.min_calls(50));
//! let orders = Cluster::discovered("orders");
//! # drop((users, orders));
//! ```
//!
//! Endpoints are addresses, or `localhost`. For names use [`Cluster::discovered`] with a registry that resolves them
//! again, such as the DNS backend: a name that is resolved once is wrong after the next deployment.

pub(crate) mod endpoint;
mod error;
mod hash_by;
#[cfg(feature = "health")]
mod health;
mod running;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use self::running::{Clusters, Running};
#[cfg(feature = "testing")]
pub(crate) use self::settings::{Listed, Source};

#[cfg(feature = "health")]
pub use self::health::ClusterHealth;
pub use self::{
    error::InvalidCluster,
    hash_by::{HashBy, InvalidHashBy},
    settings::Cluster,
};
