//! From a name to an answer.

mod body;
mod builder;
mod call;
mod handle;
pub(crate) mod metrics;
mod service;
mod span;
mod upload;

pub use self::{
    body::ResponseBody,
    builder::{ClientBuilder, InvalidClient},
    call::Call,
    handle::{Client, InvalidService},
    service::ServiceClient,
};
