//! The instances of one service as a caller uses them.

mod context;
mod error;
mod freshness;
mod handle;
mod picked;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use self::{
    context::PickContext,
    error::{NoEndpoints, NoEndpointsReason},
    freshness::Freshness,
    handle::ServiceHandle,
    picked::Picked,
};
pub(crate) use self::{handle::Watch, state::State};
