//! The façade: register this process, find others.
//!
//! | operation | |
//! |---|---|
//! | [`Registry::register`] | keeps an instance registered until its [`Registration`] is dropped |
//! | [`Registry::unregister`] | ends a registration by its id |
//! | [`Registry::service`], [`Registry::service_url`] | a handle to pick from; the URL of one pick |
//! | [`Registry::services`] | the services that have an instance |
//! | [`Registry::is_healthy`] | whether calls to a service go anywhere |
//! | `Registry::start_health_checking` (feature `health`) | checks the instances of watched services from here |

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
