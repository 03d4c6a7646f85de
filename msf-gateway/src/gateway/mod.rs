//! The gateway: what it is made of, and the ways to run it.

mod builder;
mod check;
mod error;
mod extras;
#[expect(
    clippy::module_inception,
    reason = "a file per type, and the type has the module's name"
)]
mod gateway;
mod settings;
mod wiring;

#[cfg(feature = "config")]
pub(crate) use self::check::check_routes;
pub use self::{
    builder::GatewayBuilder,
    error::{GatewayError, GatewayErrors},
    gateway::Gateway,
};
pub(crate) use self::{
    check::{Action, CheckedRoute},
    extras::Extras,
    settings::Settings,
};
