//! The pipeline in front of a callee.

mod builder;
mod handle;
mod service;

pub use self::{
    builder::{HttpClientBuilder, http_client},
    handle::HttpClient,
    service::{HttpClientFuture, HttpClientService},
};
