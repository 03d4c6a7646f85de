#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adaptive;
pub mod answering;
mod attempt;
pub mod budget;
mod builder;
pub mod bulkhead;
mod catalogue;
pub mod circuit_breaker;
pub mod coalesce;
pub mod deadline;
pub mod fallback;
pub mod fault;
// Only `cargo test --doc` in the repository sees it: the pages are not in the package.
#[cfg(doctest)]
mod guide;
pub mod hedge;
mod late;
mod layer_error;
pub mod load_shed;
mod name;
mod oneshot;
mod permits;
pub mod pipeline;
pub mod policies;
pub mod rate_limit;
mod refusal;
pub mod replay;
pub mod retry;
mod slot;
mod stripe;
mod timed;
pub mod timeout;

pub use self::{
    attempt::Attempt,
    builder::ServiceBuilderExt,
    catalogue::catalogue,
    layer_error::{LayerError, Through},
};
