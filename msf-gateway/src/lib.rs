#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
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
pub mod tunnel;

pub use self::{
    body::ResponseBody,
    gateway::{Gateway, GatewayBuilder, GatewayError, GatewayErrors},
    limit::{Key, RateKey},
    route::Route,
    server::{GatewayServer, RunningGateway, StartError},
    service::{GatewayFuture, GatewayService},
};
