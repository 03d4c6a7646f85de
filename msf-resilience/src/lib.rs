#![doc = include_str!("../README.md")]

mod anchor;
mod catalogue;
pub mod circuit_breaker;
pub mod fallback;
pub mod fault;
mod layer_error;
mod name;
mod oneshot;
pub mod policies;
pub mod rate_limit;
mod slot;
mod stripe;

pub use self::{
    catalogue::catalogue,
    layer_error::{LayerError, Through},
};
