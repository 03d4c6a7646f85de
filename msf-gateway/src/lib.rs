#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod access_log;
pub mod admin;
mod body;
pub mod failure;
mod finish;
mod forward;
mod gateway;
pub mod headers;
mod limit;
pub mod own;
pub mod path;
mod pipeline;
mod respond;
mod rewrite;
pub mod route;
pub mod server;
mod service;

pub use self::{
    access_log::AccessLog,
    admin::Admin,
    body::ResponseBody,
    failure::ProxyError,
    gateway::{Gateway, GatewayBuilder, GatewayError, GatewayErrors},
    limit::{Key, RateKey},
    route::Route,
    server::{GatewayServer, RunningGateway, StartError},
    service::{GatewayFuture, GatewayService},
};
