//! The client.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use msf_core::name::ServiceName;

use super::builder::{ConsulRegistryBuilder, InvalidConsul};
use crate::{
    backend::{Discovery, Registrar},
    error::RegistryError,
    model::{Change, Cursor, Instance, Lease, Renewal, Snapshot},
};

/// A registry in Consul; clones share its connections. See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct ConsulRegistry {
    settings: Arc<ConsulRegistryBuilder>,
}

impl ConsulRegistry {
    /// A client with the usual limits.
    ///
    /// # Errors
    ///
    /// [`InvalidConsul`] when there cannot be an agent at the address.
    pub fn new(url: impl Into<String>) -> Result<Self, InvalidConsul> {
        Self::builder(url).build()
    }

    /// A client with settings of its own.
    pub fn builder(url: impl Into<String>) -> ConsulRegistryBuilder {
        ConsulRegistryBuilder::new(url.into())
    }

    #[expect(clippy::unnecessary_wraps, reason = "the HTTP client is made here")]
    pub(super) fn with(settings: ConsulRegistryBuilder) -> Result<Self, InvalidConsul> {
        Ok(Self {
            settings: Arc::new(settings),
        })
    }
}

fn unfinished() -> RegistryError {
    RegistryError::Unreachable("not there yet".into())
}

#[async_trait]
impl Registrar for ConsulRegistry {
    async fn put(&self, _instance: &Instance, _ttl: Duration) -> Result<Lease, RegistryError> {
        Err(unfinished())
    }

    async fn renew(&self, _lease: &Lease) -> Result<Renewal, RegistryError> {
        Err(unfinished())
    }

    async fn remove(&self, _lease: &Lease) -> Result<(), RegistryError> {
        Err(unfinished())
    }
}

#[async_trait]
impl Discovery for ConsulRegistry {
    async fn fetch(&self, _service: &ServiceName) -> Result<Snapshot, RegistryError> {
        Err(unfinished())
    }

    async fn next(&self, _service: &ServiceName, _after: Cursor) -> Result<Change, RegistryError> {
        Err(unfinished())
    }

    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        Err(unfinished())
    }
}
