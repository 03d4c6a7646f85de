#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "http")]
pub mod admin;
pub mod backend;
pub mod balance;
#[cfg(feature = "tower")]
pub mod balanced;
mod cache;
#[cfg(feature = "testing")]
pub mod conformance;
mod drive;
mod error;
pub mod explain;
#[cfg(doctest)]
mod guide;
pub mod health;
mod metrics;
pub mod model;
pub mod outlier;
mod registry;
pub mod routing;
#[cfg(feature = "http")]
pub mod server;
mod service;
#[cfg(feature = "http")]
mod token;
#[cfg(feature = "http")]
mod wire;

pub use self::{
    backend::{Discovery, Registrar, ServiceRegistry},
    balance::{Balance, InvalidLoadBalancing, LoadBalancing, SlowStart, ZoneAware},
    error::RegistryError,
    explain::Explanation,
    metrics::catalogue,
    model::{
        Authority, Change, Cursor, Endpoint, Health, HealthCheck, Instance, InvalidEndpoint,
        InvalidHealthCheck, InvalidInstance, Lease, Member, Renewal, Scheme, Snapshot, Status,
    },
    outlier::{InvalidOutliers, Observed, Outliers},
    registry::{InvalidRegistry, NotRegistered, Registration, Registry, RegistryBuilder, Standing},
    service::{Freshness, NoEndpoints, NoEndpointsReason, PickContext, Picked, ServiceHandle},
};

#[cfg(feature = "http")]
pub use self::token::InvalidToken;
