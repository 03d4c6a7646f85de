#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod backend;
pub mod balance;
#[cfg(feature = "testing")]
pub mod conformance;
mod drive;
mod endpoints;
mod error;
#[cfg(feature = "health")]
pub mod health;
mod metrics;
pub mod model;
mod registry;
#[cfg(feature = "http")]
pub mod server;
#[cfg(feature = "http")]
mod wire;

pub use self::{
    backend::{Backend, Discovery, Registrar},
    balance::Balance,
    endpoints::{Endpoints, NoEndpoints, NoEndpointsReason, Picked},
    error::RegistryError,
    metrics::catalogue,
    model::{
        Change, Cursor, Health, Instance, InvalidInstance, Lease, Member, Renewal, Scheme, Snapshot,
    },
    registry::{InvalidRegistry, NotRegistered, Registration, Registry, RegistryBuilder},
};
