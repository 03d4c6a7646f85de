//! The client.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderValue, header::CONTENT_TYPE};
use msf_core::{
    name::{InstanceId, ServiceName},
    problem::Received,
};
use reqwest::{Client, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    builder::{HttpRegistryBuilder, InvalidHttp},
    held::Held,
};
use crate::{
    backend::{
        Discovery, Registrar,
        remote::{Answer, Limits, excerpt, parse, spread, to_json, within},
        renew,
    },
    error::RegistryError,
    model::{Change, Cursor, Instance, Lease, Renewal, Snapshot},
    wire::{
        Granted, LEASE_HEADER, ListIn, RenewOne, Renewed, RenewedAll, RenewedOne, ServicesIn,
        millis,
    },
};

/// A registry over HTTP; clones share its connections. See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct HttpRegistry {
    pub(super) client: Client,
    pub(super) base: Arc<str>,
    pub(super) limits: Limits,
    pub(super) held: Arc<Held>,
    /// Whether the last answer had names that are none: each time that this begins is told once.
    pub(super) is_told: Arc<AtomicBool>,
}

impl HttpRegistry {
    /// A client with the usual limits.
    ///
    /// # Errors
    ///
    /// [`InvalidHttp`] when there cannot be a registry at the address.
    pub fn new(url: impl Into<String>) -> Result<Self, InvalidHttp> {
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
        within(limit, Answer::to(request, self.limits.answer_max)).await
    }

    /// The list that an answer stands for; it is held for the changes that follow.
    fn snapshot(
        &self,
        service: &ServiceName,
        answer: &Answer,
        base: Option<&Snapshot>,
    ) -> Result<Snapshot, RegistryError> {
        let read = content(answer, LIST).and_then(|list: ListIn| {
            list.into_snapshot(service, base)
                .map_err(|error| RegistryError::Protocol(error.into()))
        });
        match &read {
            Ok(snapshot) => self.held.hold(snapshot),
            // Changes that make no sense are not asked for again; a refusal says nothing about the list.
            Err(RegistryError::Protocol(_)) => self.held.forget(service),
            Err(_) => {}
        }
        read
    }

    /// Renews as many leases as one call takes.
    async fn renew_some(&self, leases: &[Lease]) -> Result<Vec<Renewal>, RegistryError> {
        let asked: Vec<RenewOne<'_>> = leases
            .iter()
            .map(|lease| RenewOne {
                service: Cow::Borrowed(lease.service()),
                id: Cow::Borrowed(lease.instance()),
                lease: Cow::Borrowed(lease.token()),
            })
            .collect();
        let request = self
            .client
            .post(format!("{}/{RENEW}", self.base))
            .header(CONTENT_TYPE, "application/json")
            .body(to_json(&asked)?);
        let answer = self.answer(request, self.limits.timeout).await?;
        if matches!(
            answer.status,
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
        ) {
            // A registry of before there was such a call knows the leases all the same.
            return renew::each(leases, |lease| self.renew(lease)).await;
        }
        let renewed: RenewedAll = content(&answer, RENEW)?;
        if renewed.results.len() > leases.len() {
            return Err(RegistryError::Protocol(
                "more answers than leases were to be renewed".into(),
            ));
        }
        let renewal = |one| match one {
            RenewedOne::Ok { ttl_ms } => Renewal::Renewed {
                ttl: Duration::from_millis(ttl_ms),
            },
            // Registering again brings to light what is wrong with a lease that is not understood.
            RenewedOne::Gone | RenewedOne::Invalid => Renewal::Gone,
        };
        Ok(renewed.results.into_iter().map(renewal).collect())
    }
}

#[async_trait]
impl Registrar for HttpRegistry {
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError> {
        instance.validate()?;
        let url = self.instance_url(&instance.service, &instance.id);
        let request = self
            .client
            .put(format!("{url}?ttl_ms={}", millis(ttl)))
            .header(CONTENT_TYPE, "application/json")
            .body(to_json(instance)?);
        let answer = self.answer(request, self.limits.timeout).await?;
        let granted: Granted = content(&answer, INSTANCE)?;
        // Taken as it is, every renewal would fail as if the registry could not be reached.
        if granted.lease.len() > LEASE_LEN_MAX || HeaderValue::from_str(&granted.lease).is_err() {
            return Err(RegistryError::Protocol(
                format!("a lease must fit a header of {LEASE_LEN_MAX} bytes").into(),
            ));
        }
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
        let answer = self.answer(request, self.limits.timeout).await?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(Renewal::Gone);
        }
        let renewed: Renewed = content(&answer, INSTANCE)?;
        let ttl = Duration::from_millis(renewed.ttl_ms);
        Ok(Renewal::Renewed { ttl })
    }

    async fn renew_all(&self, leases: &[Lease]) -> Result<Vec<Renewal>, RegistryError> {
        let mut renewals = Vec::with_capacity(leases.len());
        for some in leases.chunks(RENEW_MAX) {
            match self.renew_some(some).await {
                Ok(renewed) => {
                    let is_short = renewed.len() < some.len();
                    renewals.extend(renewed);
                    if is_short {
                        break;
                    }
                }
                Err(error) if renewals.is_empty() => return Err(error),
                // Those that were not reached are tried again.
                Err(_) => break,
            }
        }
        Ok(renewals)
    }

    async fn remove(&self, lease: &Lease) -> Result<(), RegistryError> {
        let url = self.instance_url(lease.service(), lease.instance());
        let request = self.client.delete(url).header(LEASE_HEADER, lease.token());
        let answer = self.answer(request, self.limits.timeout).await?;
        if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND {
            Ok(())
        } else {
            Err(refused(&answer))
        }
    }
}

#[async_trait]
impl Discovery for HttpRegistry {
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        let request = self
            .client
            .get(format!("{}/v1/services/{service}", self.base));
        let answer = self.answer(request, self.limits.timeout).await?;
        self.snapshot(service, &answer, None)
    }

    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError> {
        let wait = spread(self.limits.wait);
        let base = self.held.at(service, after);
        let request = self.client.get(format!(
            "{}/v1/services/{service}?epoch={:016x}&after={}&wait_ms={}{}",
            self.base,
            after.epoch(),
            after.revision(),
            millis(wait),
            base.as_ref().map_or("", |_| "&delta=1"),
        ));
        let answer = self.answer(request, wait + self.limits.timeout).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(Change::Unchanged);
        }
        let snapshot = self.snapshot(service, &answer, base.as_ref())?;
        let now = snapshot.cursor();
        if now.epoch() == after.epoch() && now.revision() < after.revision() {
            // The registry went back, as one does that is restored from an image of its machine. The list
            // would be taken for one that was overtaken, for as long as it takes to catch up.
            return Err(RegistryError::CursorLost);
        }
        Ok(Change::Changed(snapshot))
    }

    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        let request = self.client.get(format!("{}/{SERVICES}", self.base));
        let answer = self.answer(request, self.limits.timeout).await?;
        let answer: ServicesIn = content(&answer, SERVICES)?;
        let (mut services, mut bad) = (Vec::new(), None);
        for name in &answer.services {
            match ServiceName::deserialize(name) {
                Ok(name) => services.push(name),
                Err(error) => bad = Some(error),
            }
        }
        let was_told = self.is_told.swap(bad.is_some(), Ordering::Relaxed);
        if let Some(error) = bad.filter(|_| !was_told) {
            let count = answer.services.len() - services.len();
            tracing::warn!(count, %error, "the registry names services by what is no name; they are left out");
        }
        Ok(services)
    }
}

/// The content of a success.
fn content<T: DeserializeOwned>(answer: &Answer, place: &str) -> Result<T, RegistryError> {
    if !answer.status.is_success() {
        return Err(refused(answer));
    }
    parse(&answer.body, place)
}

fn refused(answer: &Answer) -> RegistryError {
    let problem = Received::parse(answer.status, &answer.body);
    let detail = problem.and_then(|problem| problem.detail);
    RegistryError::Refused {
        status: answer.status.as_u16(),
        detail: detail.as_deref().map(excerpt),
    }
}

const INSTANCE: &str = "v1/services/{service}/instances/{id}";
const LIST: &str = "v1/services/{service}";
const RENEW: &str = "v1/renew";
const SERVICES: &str = "v1/services";
const LEASE_LEN_MAX: usize = 1_024;

/// How many leases one call renews: less than a server takes, and an answer well within its time.
const RENEW_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use msf_core::testing::LogCapture;
    use tracing::Level;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

    use super::*;

    #[tokio::test]
    async fn a_name_that_is_none_hides_no_other_service() {
        let server = MockServer::start().await;
        let client = HttpRegistry::new(server.uri()).unwrap();
        let logs = LogCapture::start();
        // The same trouble is told once, and again when it comes back.
        for (names, told) in [
            (r#""order","Not A Name",7,"payment",null"#, 1),
            (r#""order","Not A Name","payment""#, 1),
            (r#""order","payment""#, 1),
            (r#""order","payment","""#, 2),
        ] {
            server.reset().await;
            let list = format!(
                r#"{{"services":[{names}],"epoch":"00000000000000ff","authoritative":true}}"#
            );
            Mock::given(path("/v1/services"))
                .respond_with(ResponseTemplate::new(200).set_body_string(list))
                .mount(&server)
                .await;
            let services = client.clone().services().await.unwrap();
            let found: Vec<String> = services.iter().map(ToString::to_string).collect();
            assert_eq!(found, ["order", "payment"], "{names}");
            let events = logs.events();
            let warnings = events.iter().filter(|event| event.level == Level::WARN);
            assert_eq!(warnings.count(), told, "{names}");
        }
    }
}
