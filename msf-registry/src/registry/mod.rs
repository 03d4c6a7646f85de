//! The façade: register this process, find others.

mod builder;
mod facade;
mod registration;
#[cfg(test)]
mod tests;

pub use self::{
    builder::{InvalidRegistry, RegistryBuilder},
    facade::Registry,
    registration::{NotRegistered, Registration},
};
pub use crate::drive::Standing;
