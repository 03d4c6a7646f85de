#![doc = include_str!("../README.md")]

pub mod answering;
mod attempt;
pub mod budget;
mod builder;
pub mod bulkhead;
mod catalogue;
pub mod circuit_breaker;
mod gate;
mod layer_error;
mod name;
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
