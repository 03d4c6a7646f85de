//! The pipeline in front of a callee.

mod builder;
mod config;
mod handle;
mod limit;
mod once;
mod service;

pub use self::{
    builder::{HttpClientBuilder, http_client},
    config::ClientConfig,
    handle::HttpClient,
    limit::{TotalLimit, TotalLimitFuture},
    once::Once,
    service::{HttpClientFuture, HttpClientService},
};
