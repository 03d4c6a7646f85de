#![doc = include_str!("../README.md")]

mod anchor;
mod attempt;
pub mod budget;
mod catalogue;
pub mod circuit_breaker;
pub mod coalesce;
pub mod deadline;
pub mod fallback;
pub mod fault;
pub mod hedge;
mod late;
mod layer_error;
mod name;
mod oneshot;
pub mod policies;
pub mod rate_limit;
pub mod replay;
pub mod retry;
mod slot;
mod stripe;
mod timed;
pub mod timeout;

pub use self::{
    attempt::Attempt,
    catalogue::catalogue,
    layer_error::{LayerError, Through},
};
