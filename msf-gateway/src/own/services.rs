//! What `/health` says about the services.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use msf_client::ServiceClient;
use msf_core::{health::Status, name::ServiceName};
use msf_registry::{Health, Observed, Registry, ServiceHandle};
use msf_resilience::circuit_breaker::{CircuitBreaker, State};
use serde::Serialize;
use tokio::time;

/// The services whose instances are counted.
#[derive(Debug)]
pub(crate) struct Services {
    registry: Registry,
    /// Those that routes lead to; watched anyway, so that asking costs nothing.
    routed: BTreeMap<ServiceName, ServiceClient>,
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
    /// Instances that can be called, as far as checks and calls tell.
    healthy: usize,
    unhealthy: usize,
    /// Why it is not healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

/// What is told of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Well,
    /// By its checks, or its lease ran out.
    Ill,
    /// By the calls that were made.
    Failing,
}

/// Why a service is not healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    /// Nobody is registered.
    NoInstance,
    /// Its breaker lets no call pass.
    CircuitOpen,
    /// Checks, or leases that ran out.
    Checks,
    /// The last calls failed.
    Calls,
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
        routed: impl IntoIterator<Item = (ServiceName, ServiceClient)>,
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
        let more = others
            .iter()
            .map(|(name, endpoints)| (name.clone(), Count::of(told(endpoints), false)))
            .collect();
        drop(others);
        answer(status, &self.routed, more)
    }
}

fn answer(
    status: Status,
    routed: &BTreeMap<ServiceName, ServiceClient>,
    more: BTreeMap<ServiceName, Count>,
) -> Response<Bytes> {
    let count = |(name, service): (&ServiceName, &ServiceClient)| {
        let is_open = is_open(service.breaker());
        (name.clone(), Count::of(told(service.instances()), is_open))
    };
    let mut services: BTreeMap<ServiceName, Count> = routed.iter().map(count).collect();
    // What no route leads to says nothing about the gateway's use.
    let word = overall(status, services.values());
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

/// Whether every call is refused now. One that probes is as good as open: nobody knows yet.
fn is_open(breaker: &CircuitBreaker) -> bool {
    matches!(
        breaker.state(),
        State::Open | State::HalfOpen | State::ForcedOpen
    )
}

/// What is told of the instances of a service.
fn told(endpoints: &ServiceHandle) -> impl Iterator<Item = Told> {
    endpoints.observed().into_iter().map(|it| Told::of(&it))
}

impl Told {
    fn of(observed: &Observed) -> Self {
        let is_failing = observed.is_ejected || observed.failures_in_a_row >= FAILURES_MIN;
        match observed.health {
            Health::Unhealthy => Self::Ill,
            _ if is_failing => Self::Failing,
            _ => Self::Well,
        }
    }
}

impl Count {
    fn of(instances: impl Iterator<Item = Told>, is_circuit_open: bool) -> Self {
        let (mut all, mut ill, mut healthy) = (0, 0, 0);
        for told in instances {
            all += 1;
            ill += usize::from(told == Told::Ill);
            healthy += usize::from(told == Told::Well);
        }
        let reason = if all == 0 {
            Some(Reason::NoInstance)
        } else if is_circuit_open {
            Some(Reason::CircuitOpen)
        } else if ill == all || (ill > 0 && healthy > 0) {
            Some(Reason::Checks)
        } else {
            (healthy < all).then_some(Reason::Calls)
        };
        let status = match reason {
            None => Word::Healthy,
            Some(Reason::NoInstance | Reason::CircuitOpen) => Word::Unhealthy,
            Some(Reason::Checks | Reason::Calls) if healthy == 0 => Word::Unhealthy,
            Some(Reason::Checks | Reason::Calls) => Word::Degraded,
        };
        Self {
            status,
            healthy,
            unhealthy: all - healthy,
            reason,
        }
    }

    /// Whether it is known to be of no use without a call: what calls say is right until the next call, and whoever
    /// takes the gateway out for it sees to it that there is none.
    const fn is_unusable(&self) -> bool {
        match self.reason {
            Some(Reason::NoInstance) => true,
            Some(Reason::Checks) => self.healthy == 0,
            Some(Reason::CircuitOpen | Reason::Calls) | None => false,
        }
    }
}

fn overall<'a>(status: Status, services: impl Iterator<Item = &'a Count>) -> Word {
    let (mut all, mut unusable, mut whole) = (0, 0, 0);
    for count in services {
        all += 1;
        unusable += usize::from(count.is_unusable());
        whole += usize::from(count.status == Word::Healthy);
    }
    // A gateway that answers by itself needs no service.
    if status != Status::Ready || (all > 0 && unusable == all) {
        Word::Unhealthy
    } else if whole == all {
        Word::Healthy
    } else {
        Word::Degraded
    }
}

/// As many failures in a row as a check takes: one is chance, and two may be.
const FAILURES_MIN: u32 = 3;
/// The registry is asked by people and monitors, who wait a second and not more.
const REGISTRY_MAX: Duration = Duration::from_secs(1);
/// More services than a page of this kind is read for.
const OTHERS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::{
        Told::{Failing, Ill, Well},
        *,
    };

    fn count(instances: &[Told], is_circuit_open: bool) -> Count {
        Count::of(instances.iter().copied(), is_circuit_open)
    }

    fn said(count: &Count) -> String {
        let said = serde_json::json!({ "status": count.status, "reason": count.reason });
        let word = |name| said[name].as_str().unwrap_or("-");
        format!("{} {}", word("status"), word("reason"))
    }

    fn word(word: Word) -> &'static str {
        match word {
            Word::Healthy => "healthy",
            Word::Degraded => "degraded",
            Word::Unhealthy => "unhealthy",
        }
    }

    #[test]
    fn a_service_is_as_healthy_as_its_instances() {
        for (instances, expected) in [
            (&[][..], "unhealthy no_instance"),
            (&[Ill], "unhealthy checks"),
            (&[Well], "healthy -"),
            (&[Well, Ill], "degraded checks"),
            (&[Well, Well], "healthy -"),
            (&[Failing], "unhealthy calls"),
            (&[Failing, Well], "degraded calls"),
            (&[Failing, Ill], "unhealthy calls"),
            (&[Failing, Ill, Well], "degraded checks"),
        ] {
            assert_eq!(said(&count(instances, false)), expected, "{instances:?}");
        }
        assert_eq!(said(&count(&[Well], true)), "unhealthy circuit_open");
        assert_eq!(said(&count(&[], true)), "unhealthy no_instance");
    }

    #[test]
    fn a_gateway_is_unhealthy_only_when_it_is_of_no_use() {
        let of = |status, services: &[&[Told]]| {
            let counts: Vec<Count> = services.iter().map(|it| count(it, false)).collect();
            word(overall(status, counts.iter()))
        };
        assert_eq!(of(Status::Ready, &[&[Well], &[Well]]), "healthy");
        assert_eq!(of(Status::Ready, &[&[Well], &[Ill]]), "degraded");
        assert_eq!(of(Status::Ready, &[&[Well, Ill]]), "degraded");
        assert_eq!(of(Status::Ready, &[&[Ill], &[]]), "unhealthy");
        assert_eq!(of(Status::Starting, &[&[Well]]), "unhealthy");
        assert_eq!(of(Status::Draining, &[&[Well]]), "unhealthy");
    }

    #[test]
    fn what_calls_say_takes_no_gateway_out_since_then_no_call_would_say_otherwise() {
        let failing = count(&[Failing], false);
        let open = count(&[Well], true);
        let ill = count(&[Ill], false);
        let of = |counts: &[&Count]| word(overall(Status::Ready, counts.iter().copied()));
        assert_eq!(of(&[&failing]), "degraded");
        assert_eq!(of(&[&open]), "degraded");
        assert_eq!(of(&[&failing, &ill]), "degraded");
        assert_eq!(of(&[&ill]), "unhealthy");
    }
}
