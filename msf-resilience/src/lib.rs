#![doc = include_str!("../README.md")]

mod attempt;
pub mod budget;
mod catalogue;
pub mod circuit_breaker;
mod layer_error;
mod name;
pub mod policies;
pub mod rate_limit;
mod slot;
mod stripe;

pub use self::{
    attempt::Attempt,
    catalogue::catalogue,
    layer_error::{LayerError, Through},
};
