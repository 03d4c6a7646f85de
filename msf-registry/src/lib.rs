#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod backend;
pub mod balance;
#[cfg(feature = "testing")]
pub mod conformance;
mod drive;
mod error;
#[cfg(feature = "health")]
pub mod health;
mod metrics;
pub mod model;
mod registry;
#[cfg(feature = "http")]
pub mod server;
mod service;
#[cfg(feature = "http")]
mod wire;

pub use self::{
    backend::{Discovery, Registrar, ServiceRegistry},
    balance::Balance,
    error::RegistryError,
    metrics::catalogue,
    model::{
        Authority, Change, Cursor, Endpoint, Health, HealthCheck, Instance, InvalidEndpoint,
        InvalidHealthCheck, InvalidInstance, Lease, Member, Renewal, Scheme, Snapshot, Status,
    },
    registry::{InvalidRegistry, NotRegistered, Registration, Registry, RegistryBuilder, Standing},
    service::{Freshness, NoEndpoints, NoEndpointsReason, PickContext, Picked, ServiceHandle},
};
