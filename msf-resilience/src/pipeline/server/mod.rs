//! The pipeline in front of a handler.

mod builder;
mod config;
mod handle;
mod limit;
mod service;
mod shed;
mod unheld;

pub use self::{
    builder::{HttpServerBuilder, http_server},
    config::ServerConfig,
    handle::HttpServer,
    limit::{KeyedLimit, KeyedLimitFuture},
    service::{HttpServerFuture, HttpServerService},
    shed::{PriorityFn, Shed},
    unheld::{Unheld, UnheldFuture},
};
