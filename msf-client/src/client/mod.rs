//! From a name to an answer.

mod attempt;
mod body;
mod builder;
mod call;
mod call_hash;
mod handle;
mod limit;
pub(crate) mod metrics;
mod plan;
mod repeat;
mod service;
mod settings;
mod span;
mod upload;

pub use self::{
    body::ResponseBody,
    builder::{ClientBuilder, InvalidClient},
    call::Call,
    call_hash::CallHash,
    handle::{Client, InvalidService},
    service::ServiceClient,
    settings::ServiceSettings,
};
