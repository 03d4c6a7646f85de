//! One running copy of a service, as it describes itself.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU16};

use msf_core::name::{InstanceId, ServiceName};
use serde::{Deserialize, Serialize};

use super::{
    endpoint::{Endpoint, InvalidEndpoint, Scheme},
    health_check::{HealthCheck, InvalidHealthCheck},
    status::Status,
};

/// One running copy of a service: who it is and where it listens.
///
/// In JSON, members that this version does not know are ignored, so that a newer service can register
/// with an older registry and be read by an older caller during a roll-out.
///
/// ```
/// use msf_core::name::{InstanceId, ServiceName};
/// use msf_registry::Instance;
///
/// let payment = ServiceName::new("payment")?;
/// let id = InstanceId::random(&payment);
/// let instance = Instance::new(payment, id, "127.0.0.1:8080".parse()?)
///     .version("1.4.2")
///     .zone("a")
///     .health_check("/readyz".parse()?);
/// assert!(instance.validate().is_ok());
///
/// let newer = r#"{"service":"payment","id":"p-1","endpoints":["http://127.0.0.1:8080"],"from_the_future":1}"#;
/// let read: Instance = serde_json::from_str(newer)?;
/// assert_eq!(read.weight.get(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
#[non_exhaustive]
pub struct Instance {
    /// The service that it is an instance of.
    pub service: ServiceName,
    /// Its identity within the service.
    pub id: InstanceId,
    /// Where it is called.
    endpoint: Endpoint,
    /// Where it listens besides.
    others: Vec<Endpoint>,
    /// Which version runs.
    pub version: Option<String>,
    /// The zone that it runs in: callers that [say](crate::LoadBalancing::zone) that they are in the same one prefer it.
    pub zone: Option<String>,
    /// Its share of the calls, relative to the other instances.
    pub weight: NonZeroU16,
    /// Which instances are called first: those with a higher number only when too few with a lower one work.
    pub priority: u8,
    /// What it says about itself.
    pub status: Status,
    /// How somebody finds out whether it works; it is not checked if absent.
    pub health_check: Option<HealthCheck>,
    /// Free text for people, dashboards and subsets.
    pub metadata: BTreeMap<String, String>,
}

/// An instance that no registry should take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInstance {
    /// It listens nowhere.
    #[error("an instance needs at least one endpoint")]
    NoEndpoint,
    /// It listens at too many addresses.
    #[error("an instance has at most {ENDPOINTS_MAX} endpoints")]
    TooManyEndpoints,
    /// An endpoint that nobody could call.
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    /// A check that nobody could make.
    #[error(transparent)]
    HealthCheck(#[from] InvalidHealthCheck),
    /// The version is too long.
    #[error("the version must be at most {WORD_LEN_MAX} bytes")]
    Version,
    /// The zone is empty or too long.
    #[error("the zone must be 1 to {WORD_LEN_MAX} bytes")]
    Zone,
    /// Too many metadata, or one that is too long.
    #[error(
        "metadata must be at most {METADATA_MAX} entries, keys of 1 to {METADATA_KEY_LEN_MAX} bytes \
         and values of at most {METADATA_VALUE_LEN_MAX} bytes"
    )]
    Metadata,
}

impl Instance {
    /// An instance of weight 1 and priority 0 that speaks plain HTTP, is up and is not checked.
    #[must_use]
    pub const fn new(service: ServiceName, id: InstanceId, addr: SocketAddr) -> Self {
        Self::at(service, id, Endpoint::new(Scheme::Http, addr))
    }

    /// An instance of weight 1 and priority 0 that is up and is not checked.
    #[must_use]
    pub const fn at(service: ServiceName, id: InstanceId, endpoint: Endpoint) -> Self {
        Self {
            service,
            id,
            endpoint,
            others: Vec::new(),
            version: None,
            zone: None,
            weight: NonZeroU16::MIN,
            priority: 0,
            status: Status::Up,
            health_check: None,
            metadata: BTreeMap::new(),
        }
    }

    /// Adds an address that it listens at besides; at most 8 in all. Callers use the first one.
    #[must_use]
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.others.push(endpoint);
        self
    }

    /// Moves it: where it is called from now on.
    #[must_use]
    pub const fn moved_to(mut self, addr: SocketAddr) -> Self {
        self.endpoint.addr = addr;
        self
    }

    /// Says which version runs, for people and dashboards; at most 64 bytes.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Says in which zone it runs; 1 to 64 bytes.
    #[must_use]
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Says how it is spoken to at its first endpoint.
    #[must_use]
    pub const fn scheme(mut self, scheme: Scheme) -> Self {
        self.endpoint.scheme = scheme;
        self
    }

    /// Sets its share of the calls relative to the other instances; 1 unless set.
    #[must_use]
    pub const fn weight(mut self, weight: NonZeroU16) -> Self {
        self.weight = weight;
        self
    }

    /// Sets its priority: 0, the highest, unless set.
    #[must_use]
    pub const fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// Sets what it says about itself; [`Status::Up`] unless set.
    #[must_use]
    pub const fn status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// Says how it is checked. Without, it is not checked.
    #[must_use]
    pub fn health_check(mut self, check: HealthCheck) -> Self {
        self.health_check = Some(check);
        self
    }

    /// Adds one entry of free text; at most 32 entries, keys of 64 bytes and values of 256 bytes.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Where it is called.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.endpoint.addr
    }

    /// Where it listens; where it is called comes first.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        std::iter::once(self.endpoint).chain(self.others.iter().copied())
    }

    /// Where it is called and how it is spoken to there.
    #[must_use]
    pub const fn first_endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Whether a registry should take it; registries ask before they do.
    ///
    /// # Errors
    ///
    /// [`InvalidInstance`] with the first rule that is broken.
    pub fn validate(&self) -> Result<(), InvalidInstance> {
        if self.others.len() >= ENDPOINTS_MAX {
            return Err(InvalidInstance::TooManyEndpoints);
        }
        for endpoint in self.endpoints() {
            endpoint.validate()?;
        }
        if let Some(check) = &self.health_check {
            check.validate()?;
        }
        let is_long = |word: &String| word.len() > WORD_LEN_MAX;
        if self.version.as_ref().is_some_and(is_long) {
            return Err(InvalidInstance::Version);
        }
        if self
            .zone
            .as_ref()
            .is_some_and(|zone| zone.is_empty() || is_long(zone))
        {
            return Err(InvalidInstance::Zone);
        }
        let is_bad = |(key, value): (&String, &String)| {
            key.is_empty()
                || key.len() > METADATA_KEY_LEN_MAX
                || value.len() > METADATA_VALUE_LEN_MAX
        };
        if self.metadata.len() > METADATA_MAX || self.metadata.iter().any(is_bad) {
            return Err(InvalidInstance::Metadata);
        }
        Ok(())
    }
}

/// The members of an instance in JSON, before its rules are checked.
#[derive(Serialize, Deserialize)]
struct Raw {
    service: ServiceName,
    id: InstanceId,
    endpoints: Vec<Endpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(default = "one")]
    weight: NonZeroU16,
    #[serde(default)]
    priority: u8,
    #[serde(default, skip_serializing_if = "Status::is_default")]
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check: Option<HealthCheck>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

impl TryFrom<Raw> for Instance {
    type Error = InvalidInstance;

    fn try_from(raw: Raw) -> Result<Self, InvalidInstance> {
        let mut endpoints = raw.endpoints.into_iter();
        let instance = Self {
            service: raw.service,
            id: raw.id,
            endpoint: endpoints.next().ok_or(InvalidInstance::NoEndpoint)?,
            others: endpoints.collect(),
            version: raw.version,
            zone: raw.zone,
            weight: raw.weight,
            priority: raw.priority,
            status: raw.status,
            health_check: raw.health_check,
            metadata: raw.metadata,
        };
        instance.validate()?;
        Ok(instance)
    }
}

impl From<Instance> for Raw {
    fn from(instance: Instance) -> Self {
        Self {
            endpoints: instance.endpoints().collect(),
            service: instance.service,
            id: instance.id,
            version: instance.version,
            zone: instance.zone,
            weight: instance.weight,
            priority: instance.priority,
            status: instance.status,
            health_check: instance.health_check,
            metadata: instance.metadata,
        }
    }
}

const fn one() -> NonZeroU16 {
    NonZeroU16::MIN
}

const ENDPOINTS_MAX: usize = 8;
const WORD_LEN_MAX: usize = 64;
const METADATA_MAX: usize = 32;
const METADATA_KEY_LEN_MAX: usize = 64;
const METADATA_VALUE_LEN_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn instance() -> Instance {
        let service = ServiceName::new("payment").unwrap();
        let id = InstanceId::new("p-1").unwrap();
        Instance::new(service, id, ([127, 0, 0, 1], 80).into())
    }

    #[test]
    fn every_endpoint_must_be_one_to_connect_to() {
        let nowhere = Endpoint::new(Scheme::Http, ([127, 0, 0, 1], 0).into());
        let checked = instance().endpoint(nowhere).validate();
        assert_eq!(checked, Err(InvalidEndpoint::NoPort.into()));
        let many = (0..8).fold(instance(), |i, n| {
            i.endpoint(Endpoint::new(Scheme::Tcp, ([127, 0, 0, 1], 81 + n).into()))
        });
        assert_eq!(many.validate(), Err(InvalidInstance::TooManyEndpoints));
        let none = r#"{"service":"payment","id":"p","endpoints":[]}"#;
        assert!(serde_json::from_str::<Instance>(none).is_err());
    }

    #[test]
    fn sizes_are_bounded() {
        let long = "x".repeat(257);
        assert!(instance().version(&long).validate().is_err());
        assert!(instance().zone(&long).validate().is_err());
        assert!(instance().zone("").validate().is_err());
        assert!(instance().metadata("k", &long).validate().is_err());
        assert!(instance().metadata("", "v").validate().is_err());
        let many = (0..33).fold(instance(), |i, n| i.metadata(format!("k{n}"), "v"));
        assert_eq!(many.validate(), Err(InvalidInstance::Metadata));
    }

    #[test]
    fn json_keeps_everything_and_checks_the_rules() {
        let full = instance()
            .endpoint("grpc://127.0.0.1:9090".parse().unwrap())
            .version("1.0")
            .zone("a")
            .scheme(Scheme::Https)
            .weight(NonZeroU16::new(3).unwrap())
            .priority(2)
            .status(Status::Draining)
            .health_check("/readyz".parse().unwrap())
            .metadata("zone", "a");
        let json = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<Instance>(&json).unwrap(), full);
        let bad = json.replace("/readyz", "readyz");
        let error = serde_json::from_str::<Instance>(&bad).unwrap_err();
        assert!(error.to_string().contains("health check"), "{error}");
        let weightless = json.replace("\"weight\":3", "\"weight\":0");
        assert!(serde_json::from_str::<Instance>(&weightless).is_err());
    }
}
