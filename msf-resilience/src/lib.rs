#![doc = include_str!("../README.md")]

mod builder;
pub mod answering;
pub mod bulkhead;
mod catalogue;
pub mod circuit_breaker;
mod gate;
mod layer_error;
pub mod pipeline;
mod name;
pub mod policies;
pub mod rate_limit;
mod slot;
mod stripe;

pub use self::{
    builder::ServiceBuilderExt,
    catalogue::catalogue,
    layer_error::{LayerError, Through},
};
