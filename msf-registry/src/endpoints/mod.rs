//! The instances of one service as a caller uses them.

mod error;
mod handle;
mod picked;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use self::{
    error::{NoEndpoints, NoEndpointsReason},
    handle::Endpoints,
    picked::Picked,
};
pub(crate) use self::{handle::Watch, state::State};
