#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
pub mod explain;
mod forward;
mod gateway;
#[cfg(doctest)]
mod guide;
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
    body::ResponseBody,
    explain::Probe,
    gateway::{Gateway, GatewayBuilder, GatewayError, GatewayErrors},
    limit::{Key, RateKey},
    route::{Captures, CookieMatch, HeaderMatch, QueryMatch, Route},
    server::{GatewayServer, RunningGateway, StartError},
    service::{GatewayFuture, GatewayService},
};
