//! Registrations in etcd (3.4 or newer), through its JSON gateway.
//!
//! ```
//! use msf_registry::{Registry, backend::etcd::EtcdRegistry};
//!
//! let registry = Registry::new(EtcdRegistry::new("http://127.0.0.1:2379")?);
//! # drop(registry);
//! # Ok::<(), msf_registry::backend::etcd::InvalidEtcd>(())
//! ```

mod builder;
mod call;
mod discovery;
mod keys;
mod leavers;
mod registry;
mod wire;

pub use self::{
    builder::{EtcdRegistryBuilder, InvalidEtcd},
    registry::EtcdRegistry,
};
