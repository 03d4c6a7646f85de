//! Registrations in Consul, through the HTTP API of an agent.
//!
//! ```
//! use msf_registry::{Registry, backend::consul::ConsulRegistry};
//!
//! let registry = Registry::new(ConsulRegistry::new("http://127.0.0.1:8500")?);
//! # drop(registry);
//! # Ok::<(), msf_registry::backend::consul::InvalidConsul>(())
//! ```

mod builder;
mod discovery;
mod mapping;
mod place;
mod registry;
mod wire;

pub use self::{
    builder::{ConsulRegistryBuilder, InvalidConsul},
    registry::ConsulRegistry,
};
