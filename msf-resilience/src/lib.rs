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
pub mod deadline;
pub mod fallback;
pub mod fault;
mod gate;
pub mod hedge;
mod idempotent;
mod late;
mod layer_error;
pub mod load_shed;
mod name;
mod oneshot;
pub mod pipeline;
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
    builder::ServiceBuilderExt,
    catalogue::catalogue,
    layer_error::{LayerError, Through},
};
