//! The tower layer that gives every request its context, its span and its line in the access log.

mod access;
mod body;
mod config;
mod exchange;
pub mod future;
mod outcome;
mod service;
mod span;
mod template;

pub use self::{
    access::AccessLog,
    body::ResponseBody,
    config::{TraceLayer, Trust},
    service::Trace,
};
