//! The client: what it is, and the side that instances use.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderName, Method, StatusCode, header::CONTENT_TYPE};
use msf_core::{clock, config::Secret};
use reqwest::Client;

use super::{
    builder::{ConsulRegistryBuilder, InvalidConsul},
    mapping,
    place::Place,
    wire::{Held, Lapse, Registration},
};
use crate::{
    backend::{
        Registrar,
        remote::{Answer, Limits, client, excerpt, parse, to_json, within},
    },
    error::RegistryError,
    model::{Instance, Lease, Renewal, Status},
};

/// A registry in Consul; clones share its connections. See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct ConsulRegistry {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    client: Client,
    base: String,
    token: Option<Secret<String>>,
    tags: Vec<String>,
    deregister_after: Duration,
    /// What every question for instances ends with.
    pub(super) scope: String,
    pub(super) limits: Limits,
    pub(super) place: Mutex<Place>,
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

    pub(super) fn with(settings: ConsulRegistryBuilder) -> Result<Self, InvalidConsul> {
        let client = client(settings.limits)
            .build()
            .map_err(InvalidConsul::Client)?;
        let mut scope = String::new();
        if let Some(datacenter) = &settings.datacenter {
            scope.push_str("&dc=");
            scope.push_str(datacenter);
        }
        if settings.is_stale_allowed {
            scope.push_str("&stale");
        }
        Ok(Self {
            shared: Arc::new(Shared {
                client,
                base: settings.url,
                token: settings.token,
                tags: settings.tags,
                deregister_after: settings.deregister_after,
                scope,
                limits: settings.limits,
                place: Mutex::new(Place::new(fastrand::u64(..))),
            }),
        })
    }
}

#[async_trait]
impl Registrar for ConsulRegistry {
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError> {
        instance.validate()?;
        self.shared.put(instance, ttl).await
    }

    /// The check alone does not tell whose it is: the instance may have been taken over.
    async fn renew(&self, lease: &Lease) -> Result<Renewal, RegistryError> {
        let id = mapping::service_id(lease.service(), lease.instance());
        if self.shared.token_of(&id).await?.as_deref() != Some(lease.token()) {
            return Ok(Renewal::Gone);
        }
        self.shared.report(&id, lease).await
    }

    /// Consul has no conditional deregistration: a successor under the same id that registers between the two
    /// steps is deregistered, hears so at its first renewal, and registers again.
    async fn remove(&self, lease: &Lease) -> Result<(), RegistryError> {
        let id = mapping::service_id(lease.service(), lease.instance());
        if self.shared.token_of(&id).await?.as_deref() != Some(lease.token()) {
            return Ok(());
        }
        let path = format!("agent/service/deregister/{id}");
        let answer = self.shared.put_to(&path, Vec::new()).await?;
        if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND {
            Ok(())
        } else {
            Err(refused(&answer))
        }
    }
}

impl Shared {
    /// The service and its check in one step, so that no reader sees one without the other. Checks that others
    /// have added stay, an operator's maintenance among them; and so does what our check said before, so it is told anew.
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError> {
        if !(TTL_MIN..=TTL_MAX).contains(&ttl) {
            return Err(RegistryError::Ttl {
                ttl,
                min: TTL_MIN,
                max: TTL_MAX,
            });
        }
        // To others, who know nothing of our status, a warning says to look for somebody else.
        let (ending, status) = match instance.status {
            Status::Up | Status::Degraded => ("", "passing"),
            _ => (SILENT, "warning"),
        };
        let (service, id) = (&instance.service, &instance.id);
        let token = format!("{:016x}{ending}", fastrand::u64(..));
        let service_id = mapping::service_id(service, id);
        let registration = Registration {
            id: service_id.clone(),
            name: service.as_str(),
            address: instance.addr().ip().to_string(),
            port: instance.addr().port(),
            tags: &self.tags,
            meta: mapping::meta(instance, &token),
            weights: mapping::weights(instance),
            checks: [Lapse {
                check_id: mapping::check_id(&service_id),
                name: "msf lease",
                ttl: millis(ttl),
                status,
                deregister_critical_service_after: millis(self.deregister_after),
            }],
        };
        let answer = self
            .put_to("agent/service/register", to_json(&registration)?)
            .await?;
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        let lease = Lease::new(service.clone(), id.clone(), token, ttl);
        // Gone so soon, it was deregistered by somebody else; the next renewal says so.
        self.report(&service_id, &lease).await?;
        Ok(lease)
    }

    /// Says that the instance lives, and whether it takes calls.
    async fn report(&self, service_id: &str, lease: &Lease) -> Result<Renewal, RegistryError> {
        let verb = if lease.token().ends_with(SILENT) {
            "warn"
        } else {
            "pass"
        };
        let path = format!("agent/check/{verb}/{}", mapping::check_id(service_id));
        let answer = self.put_to(&path, Vec::new()).await?;
        if answer.status.is_success() {
            return Ok(Renewal::Renewed { ttl: lease.ttl() });
        }
        if is_unknown_check(&answer) {
            return Ok(Renewal::Gone);
        }
        Err(refused(&answer))
    }

    /// Whose registration the agent holds; `None` when it holds none.
    async fn token_of(&self, service_id: &str) -> Result<Option<String>, RegistryError> {
        let path = format!("agent/service/{service_id}");
        let limit = self.limits.timeout;
        let answer = self.exchange(Method::GET, &path, Vec::new(), limit).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        let mut held: Held = parse(&answer.body, "agent/service")?;
        Ok(held.meta.remove(mapping::LEASE))
    }

    async fn put_to(&self, path: &str, body: Vec<u8>) -> Result<Answer, RegistryError> {
        self.exchange(Method::PUT, path, body, self.limits.timeout)
            .await
    }

    /// One question and its answer, whatever its status.
    pub(super) async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<Answer, RegistryError> {
        let mut request = self
            .client
            .request(method, format!("{}/v1/{path}", self.base))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        if let Some(token) = &self.token {
            request = request.header(TOKEN, token.expose());
        }
        let answer = within(limit, Answer::to(request, self.limits.answer_max)).await;
        if answer.is_err() {
            self.place().failed(clock::now());
        }
        answer
    }
}

/// What Consul says is plain text.
pub(super) fn refused(answer: &Answer) -> RegistryError {
    let detail = excerpt(&String::from_utf8_lossy(&answer.body));
    RegistryError::Refused {
        status: answer.status.as_u16(),
        detail: (!detail.is_empty()).then_some(detail),
    }
}

/// A 500 up to Consul 1.10, a 404 since.
fn is_unknown_check(answer: &Answer) -> bool {
    let text = String::from_utf8_lossy(&answer.body);
    answer.status == StatusCode::NOT_FOUND
        || (answer.status == StatusCode::INTERNAL_SERVER_ERROR
            && (text.contains("does not have associated TTL") || text.contains("Unknown check")))
}

fn millis(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// How the token of an instance ends that takes no calls: it renews with a warning.
const SILENT: &str = "-w";
const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");
const TTL_MIN: Duration = Duration::from_millis(1);
const TTL_MAX: Duration = Duration::from_secs(24 * 3600);
