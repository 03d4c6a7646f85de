#![doc = include_str!("../README.md")]

pub mod adaptive;
pub mod answering;
pub mod bulkhead;
mod catalogue;
pub mod circuit_breaker;
// Only `cargo test --doc` in the repository sees it: the pages are not in the package.
#[cfg(doctest)]
mod guide;
mod layer_error;
pub mod load_shed;
mod name;
mod permits;
pub mod policies;
pub mod rate_limit;
mod slot;
mod stripe;

pub use self::{
    catalogue::catalogue,
    layer_error::{LayerError, Through},
};
