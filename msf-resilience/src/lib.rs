#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod catalogue;
pub mod circuit_breaker;
mod layer_error;
mod name;
pub mod policies;
pub mod rate_limit;
mod slot;
mod stripe;

pub use self::{
    catalogue::catalogue,
    layer_error::{LayerError, Through},
};
