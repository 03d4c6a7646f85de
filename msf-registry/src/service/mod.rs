//! The instances of one service as a caller uses them.

mod context;
mod error;
mod handle;
mod picked;
mod state;
mod sweep;
mod table;
#[cfg(test)]
mod tests;

pub use self::{
    context::PickContext,
    error::{NoEndpoints, NoEndpointsReason},
    handle::ServiceHandle,
    picked::Picked,
};
pub(crate) use self::{handle::Watch, state::State};
