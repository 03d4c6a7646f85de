//! The instances of one service as a caller uses them.

mod aside;
mod build;
mod context;
mod draw;
mod error;
mod explain;
mod freshness;
mod handle;
mod host;
mod outcome;
#[cfg_attr(
    not(any(test, feature = "health")),
    expect(dead_code, reason = "only checks lay something over a list")
)]
mod overlay;
mod picked;
mod pool;
mod slot;
mod state;
mod stripe;
mod sweep;
mod table;
#[cfg(test)]
mod tests;

#[cfg(feature = "health")]
pub(crate) use self::overlay::{Overlay, Probed};
pub use self::{
    context::PickContext,
    error::{NoEndpoints, NoEndpointsReason},
    freshness::Freshness,
    handle::ServiceHandle,
    picked::Picked,
};
pub(crate) use self::{handle::Watch, outcome::Outcome, state::State};
