//! What `/health` says about the services.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use msf_core::{health::Status, name::ServiceName};
use msf_registry::{Health, Registry, ServiceHandle};
use serde::Serialize;
use tokio::time;

/// The services whose instances are counted.
#[derive(Debug)]
pub(crate) struct Services {
    registry: Registry,
    /// Those that routes lead to; watched anyway, so that asking costs nothing.
    routed: BTreeMap<ServiceName, ServiceHandle>,
    /// Others that the operations listener was asked for; kept, since a watch knows nothing at first.
    others: Mutex<BTreeMap<ServiceName, ServiceHandle>>,
}

#[derive(Serialize)]
struct Document {
    status: Word,
    timestamp: String,
    services: BTreeMap<ServiceName, Count>,
}

#[derive(Serialize)]
struct Count {
    status: Word,
    /// Instances that can be called.
    healthy: usize,
    unhealthy: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Healthy,
    Degraded,
    Unhealthy,
}

impl Services {
    pub(crate) fn new(
        registry: Registry,
        routed: impl IntoIterator<Item = (ServiceName, ServiceHandle)>,
    ) -> Self {
        Self {
            registry,
            routed: routed.into_iter().collect(),
            others: Mutex::default(),
        }
    }

    /// The services of the routes, from memory.
    pub(crate) fn answer_routed(&self, status: Status) -> Response<Bytes> {
        answer(status, &self.routed, BTreeMap::new())
    }

    /// All services; those without a route as far as the registry answers in time.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub(crate) async fn answer_all(&self, status: Status) -> Response<Bytes> {
        if let Ok(Ok(known)) = time::timeout(REGISTRY_MAX, self.registry.services()).await {
            let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            others.retain(|service, _| known.contains(service));
            for service in known.into_iter().take(OTHERS_MAX) {
                if !self.routed.contains_key(&service) {
                    let endpoints = self.registry.service(&service);
                    others.entry(service).or_insert(endpoints);
                }
            }
        }
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let more = counts(&others);
        drop(others);
        answer(status, &self.routed, more)
    }
}

fn answer(
    status: Status,
    routed: &BTreeMap<ServiceName, ServiceHandle>,
    more: BTreeMap<ServiceName, Count>,
) -> Response<Bytes> {
    let mut services = counts(routed);
    // What no route leads to says nothing about the gateway's use.
    let word = overall(status, services.values().map(|count| count.status));
    services.extend(more);
    let document = Document {
        status: word,
        timestamp: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        services,
    };
    let body = serde_json::to_vec(&document).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
    if word == Word::Unhealthy {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn counts(services: &BTreeMap<ServiceName, ServiceHandle>) -> BTreeMap<ServiceName, Count> {
    let count = |(service, endpoints): (&ServiceName, &ServiceHandle)| {
        let snapshot = endpoints.snapshot();
        let states = snapshot.instances().iter().map(|member| member.health);
        (service.clone(), Count::of(states))
    };
    services.iter().map(count).collect()
}

impl Count {
    fn of(instances: impl Iterator<Item = Health>) -> Self {
        let (unhealthy, healthy): (Vec<_>, Vec<_>) =
            instances.partition(|health| *health == Health::Unhealthy);
        let status = match (healthy.len(), unhealthy.len()) {
            (0, _) => Word::Unhealthy,
            (_, 0) => Word::Healthy,
            _ => Word::Degraded,
        };
        Self {
            status,
            healthy: healthy.len(),
            unhealthy: unhealthy.len(),
        }
    }
}

fn overall(status: Status, services: impl Iterator<Item = Word>) -> Word {
    let (mut all, mut unusable, mut whole) = (0, 0, 0);
    for word in services {
        all += 1;
        unusable += usize::from(word == Word::Unhealthy);
        whole += usize::from(word == Word::Healthy);
    }
    if status != Status::Ready || unusable == all {
        Word::Unhealthy
    } else if whole == all {
        Word::Healthy
    } else {
        Word::Degraded
    }
}

/// The registry is asked by people and monitors, who wait a second and not more.
const REGISTRY_MAX: Duration = Duration::from_secs(1);
/// More services than a page of this kind is read for.
const OTHERS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn word(instances: &[Health]) -> &'static str {
        spelled(Count::of(instances.iter().copied()).status)
    }

    fn spelled(word: Word) -> &'static str {
        match word {
            Word::Healthy => "healthy",
            Word::Degraded => "degraded",
            Word::Unhealthy => "unhealthy",
        }
    }

    #[test]
    fn a_service_is_as_healthy_as_its_instances() {
        use Health::{Healthy, Unhealthy, Unknown};
        assert_eq!(word(&[]), "unhealthy");
        assert_eq!(word(&[Unhealthy]), "unhealthy");
        assert_eq!(word(&[Unknown]), "healthy");
        assert_eq!(word(&[Healthy, Unhealthy]), "degraded");
        assert_eq!(word(&[Healthy, Healthy]), "healthy");
    }

    #[test]
    fn a_gateway_is_unhealthy_only_when_it_is_of_no_use() {
        use Word::{Degraded, Healthy, Unhealthy};
        let of = |status, words: &[Word]| spelled(overall(status, words.iter().copied()));
        assert_eq!(of(Status::Ready, &[Healthy, Healthy]), "healthy");
        assert_eq!(of(Status::Ready, &[Healthy, Unhealthy]), "degraded");
        assert_eq!(of(Status::Ready, &[Degraded]), "degraded");
        assert_eq!(of(Status::Ready, &[Unhealthy, Unhealthy]), "unhealthy");
        assert_eq!(of(Status::Starting, &[Healthy]), "unhealthy");
        assert_eq!(of(Status::Draining, &[Healthy]), "unhealthy");
    }
}
