//! The pipeline in front of a callee.

mod answering;
mod builder;
mod handle;
mod service;

pub use self::{
    answering::{AnsweringFuture, AnsweringHttpClient, AnsweringHttpClientService},
    builder::{HttpClientBuilder, http_client},
    handle::HttpClient,
    service::{HttpClientFuture, HttpClientService},
};
