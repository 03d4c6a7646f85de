#![doc = include_str!("../README.md")]

pub mod adaptive;
pub mod answering;
mod attempt;
pub mod budget;
pub mod bulkhead;
mod catalogue;
pub mod circuit_breaker;
pub mod deadline;
// Only `cargo test --doc` in the repository sees it: the pages are not in the package.
#[cfg(doctest)]
mod guide;
mod late;
mod layer_error;
pub mod load_shed;
mod name;
mod permits;
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
