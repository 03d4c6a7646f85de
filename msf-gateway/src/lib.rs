#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod access;
pub mod access_log;
pub mod action;
pub mod admin;
mod admission;
mod body;
pub mod cluster;
#[cfg(feature = "config")]
pub mod config;
pub mod cors;
mod exchange;
pub mod explain;
pub mod failure;
mod finish;
mod forward;
mod forwarder;
mod gateway;
#[cfg(doctest)]
mod guide;
pub mod headers;
mod layered;
mod limit;
pub mod listener;
pub mod live;
pub mod mirror;
pub mod own;
pub mod path;
mod pipeline;
pub mod plugin;
mod respond;
mod rewrite;
pub mod route;
pub mod server;
mod service;
mod split;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transform;
pub mod tunnel;

pub use msf_client::transport::Protocol;

pub use self::{
    access_log::AccessLog,
    action::{DirectResponse, InvalidRedirect, Maintenance, Redirect},
    admin::Admin,
    body::ResponseBody,
    cluster::{Cluster, HashBy, InvalidCluster, InvalidHashBy},
    cors::{Cors, InvalidCors},
    explain::Probe,
    failure::ProxyError,
    forwarder::Forwarder,
    gateway::{Gateway, GatewayBuilder, GatewayError, GatewayErrors},
    layered::{Upstream, UpstreamFuture},
    limit::{Key, RateKey},
    listener::GatewayListener,
    mirror::Mirror,
    plugin::{ClientAddr, Completed, Flow, Plugin},
    route::{Captures, CookieMatch, HeaderMatch, QueryMatch, Route},
    server::{GatewayServer, RunningGateway, StartError},
    service::{GatewayFuture, GatewayService},
    transform::{HeaderTransform, InvalidTransform},
};

#[cfg(feature = "health")]
pub use self::cluster::ClusterHealth;
