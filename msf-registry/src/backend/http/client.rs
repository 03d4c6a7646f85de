//! The client.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use http::header::CONTENT_TYPE;
use msf_core::name::{InstanceId, ServiceName};
use reqwest::{Client, StatusCode};

use super::{
    builder::{HttpRegistryBuilder, InvalidRegistryUrl},
    exchange::Answer,
};
use crate::{
    backend::{Discovery, Registrar},
    error::RegistryError,
    model::{Change, Cursor, Instance, Lease, Renewal, Snapshot},
    wire::{Granted, LEASE_HEADER, Renewed, Services, StateIn, millis},
};

/// A registry over HTTP; clones share its connections. See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct HttpRegistry {
    pub(super) client: Client,
    pub(super) base: Arc<str>,
    pub(super) timeout: Duration,
    pub(super) wait: Duration,
    pub(super) answer_max: usize,
}

impl HttpRegistry {
    /// A client with the usual limits.
    ///
    /// # Errors
    ///
    /// [`InvalidRegistryUrl`] when there cannot be a registry at the address.
    pub fn new(url: impl Into<String>) -> Result<Self, InvalidRegistryUrl> {
        Self::builder(url).build()
    }

    /// A client with limits of its own.
    pub fn builder(url: impl Into<String>) -> HttpRegistryBuilder {
        HttpRegistryBuilder::new(url.into())
    }

    /// Names stand for themselves in a path, so nothing needs encoding.
    fn instance_url(&self, service: &ServiceName, id: &InstanceId) -> String {
        format!("{}/v1/services/{service}/instances/{id}", self.base)
    }

    async fn answer(
        &self,
        request: reqwest::RequestBuilder,
        limit: Duration,
    ) -> Result<Answer, RegistryError> {
        Answer::of(request, limit, self.answer_max).await
    }

    fn snapshot(service: &ServiceName, answer: &Answer) -> Result<Snapshot, RegistryError> {
        let state: StateIn = answer.json()?;
        if state.service() != service {
            return Err(RegistryError::Protocol(
                "an answer about another service".into(),
            ));
        }
        Ok(state.into_snapshot())
    }
}

#[async_trait]
impl Registrar for HttpRegistry {
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError> {
        instance.validate()?;
        let body =
            serde_json::to_vec(instance).map_err(|error| RegistryError::Protocol(error.into()))?;
        let url = self.instance_url(&instance.service, &instance.id);
        let request = self
            .client
            .put(format!("{url}?ttl_ms={}", millis(ttl)))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let granted: Granted = self.answer(request, self.timeout).await?.json()?;
        let (service, id) = (instance.service.clone(), instance.id.clone());
        let ttl = Duration::from_millis(granted.ttl_ms);
        Ok(Lease::new(service, id, granted.lease, ttl))
    }

    async fn renew(&self, lease: &Lease) -> Result<Renewal, RegistryError> {
        let url = self.instance_url(lease.service(), lease.instance());
        let request = self
            .client
            .post(format!("{url}/renew"))
            .header(LEASE_HEADER, lease.token());
        let answer = self.answer(request, self.timeout).await?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(Renewal::Gone);
        }
        let renewed: Renewed = answer.json()?;
        let ttl = Duration::from_millis(renewed.ttl_ms);
        Ok(Renewal::Renewed { ttl })
    }

    async fn remove(&self, lease: &Lease) -> Result<(), RegistryError> {
        let url = self.instance_url(lease.service(), lease.instance());
        let request = self.client.delete(url).header(LEASE_HEADER, lease.token());
        let answer = self.answer(request, self.timeout).await?;
        if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND {
            Ok(())
        } else {
            Err(answer.refused())
        }
    }
}

#[async_trait]
impl Discovery for HttpRegistry {
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        let request = self
            .client
            .get(format!("{}/v1/services/{service}", self.base));
        let answer = self.answer(request, self.timeout).await?;
        Self::snapshot(service, &answer)
    }

    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError> {
        // Watchers that were started together must not come back together.
        let wait = self.wait.mul_f64(1.0 - fastrand::f64() / 16.0);
        let request = self.client.get(format!(
            "{}/v1/services/{service}?epoch={:016x}&after={}&wait_ms={}",
            self.base,
            after.epoch(),
            after.revision(),
            millis(wait),
        ));
        let answer = self.answer(request, wait + self.timeout).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(Change::Unchanged);
        }
        Self::snapshot(service, &answer).map(Change::Changed)
    }

    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        let request = self.client.get(format!("{}/v1/services", self.base));
        let services: Services = self.answer(request, self.timeout).await?.json()?;
        Ok(services.services)
    }
}
