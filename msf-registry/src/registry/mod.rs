//! The façade: register this process, find others.

mod builder;
mod facade;
#[cfg(feature = "health")]
mod health;
mod linger;
mod registration;
#[cfg(test)]
mod tests;

#[cfg(feature = "health")]
pub(crate) use self::health::Laid;
pub use self::{
    builder::{InvalidRegistry, RegistryBuilder},
    facade::Registry,
    registration::{NotRegistered, Registration},
};
pub use crate::drive::Standing;
