#![doc = include_str!("../README.md")]

pub mod adaptive;
mod anchor;
pub mod answering;
mod attempt;
pub mod budget;
mod builder;
pub mod bulkhead;
mod catalogue;
pub mod circuit_breaker;
pub mod coalesce;
pub mod fallback;
pub mod fault;
mod gate;
mod layer_error;
pub mod load_shed;
mod name;
mod oneshot;
pub mod pipeline;
pub mod policies;
pub mod rate_limit;
mod slot;
mod stripe;

pub use self::{
    attempt::Attempt,
    builder::ServiceBuilderExt,
    catalogue::catalogue,
    layer_error::{LayerError, Through},
};
