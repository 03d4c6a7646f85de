//! One running copy of a service, as it describes itself.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU16};

use msf_core::name::{InstanceId, ServiceName};
use serde::{Deserialize, Serialize};

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
///     .metadata("zone", "a")
///     .health_path("/readyz");
/// assert!(instance.check().is_ok());
///
/// let newer = r#"{"service":"payment","id":"p-1","addr":"127.0.0.1:8080","from_the_future":1}"#;
/// let read: Instance = serde_json::from_str(newer)?;
/// assert_eq!(read.weight.get(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
#[non_exhaustive]
pub struct Instance {
    /// The service that it is an instance of.
    pub service: ServiceName,
    /// Its identity within the service.
    pub id: InstanceId,
    /// How it is spoken to.
    #[serde(skip_serializing_if = "Scheme::is_default")]
    pub scheme: Scheme,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Which version runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its share of the calls, relative to the other instances.
    pub weight: NonZeroU16,
    /// The path that active health checks ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_path: Option<String>,
    /// Free text for people and dashboards.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// How an instance is spoken to.
///
/// ```
/// use msf_registry::Scheme;
///
/// assert_eq!(Scheme::default().as_str(), "http");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
}

/// An instance that no registry should take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInstance {
    /// Nobody can connect to port 0.
    #[error("port 0 is not an address to connect to")]
    NoPort,
    /// Nobody can connect to an unspecified address.
    #[error("an unspecified address (0.0.0.0, ::) is one to listen on, not one to connect to")]
    Unspecified,
    /// Not an absolute path in visible ASCII of at most 256 bytes.
    #[error(
        "the health path must begin with one '/' and be at most {HEALTH_PATH_LEN_MAX} bytes of \
         visible ASCII without '#'"
    )]
    HealthPath,
    /// The version is too long.
    #[error("the version must be at most {VERSION_LEN_MAX} bytes")]
    Version,
    /// Too many metadata, or one that is too long.
    #[error(
        "metadata must be at most {METADATA_MAX} entries, keys of 1 to {METADATA_KEY_LEN_MAX} bytes \
         and values of at most {METADATA_VALUE_LEN_MAX} bytes"
    )]
    Metadata,
}

impl Instance {
    /// An instance of weight 1 that speaks plain HTTP and has no health path.
    #[must_use]
    pub const fn new(service: ServiceName, id: InstanceId, addr: SocketAddr) -> Self {
        Self {
            service,
            id,
            scheme: Scheme::Http,
            addr,
            version: None,
            weight: NonZeroU16::MIN,
            health_path: None,
            metadata: BTreeMap::new(),
        }
    }

    /// Says which version runs, for people and dashboards; at most 64 bytes.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Says how it is spoken to.
    #[must_use]
    pub const fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Sets its share of the calls relative to the other instances; 1 unless set.
    #[must_use]
    pub const fn weight(mut self, weight: NonZeroU16) -> Self {
        self.weight = weight;
        self
    }

    /// Names the path that active health checks ask, such as `/readyz`. Without one, the instance is not
    /// checked.
    #[must_use]
    pub fn health_path(mut self, path: impl Into<String>) -> Self {
        self.health_path = Some(path.into());
        self
    }

    /// Adds one entry of free text; at most 32 entries, keys of 64 bytes and values of 256 bytes.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Whether a registry should take it; registries ask before they do.
    ///
    /// # Errors
    ///
    /// [`InvalidInstance`] with the first rule that is broken.
    pub fn check(&self) -> Result<(), InvalidInstance> {
        if self.addr.port() == 0 {
            return Err(InvalidInstance::NoPort);
        }
        if self.addr.ip().is_unspecified() {
            return Err(InvalidInstance::Unspecified);
        }
        if self.health_path.as_deref().is_some_and(is_bad_path) {
            return Err(InvalidInstance::HealthPath);
        }
        if self
            .version
            .as_ref()
            .is_some_and(|v| v.len() > VERSION_LEN_MAX)
        {
            return Err(InvalidInstance::Version);
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

impl Scheme {
    /// The scheme as a URL spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The members of an instance in JSON, before its rules are checked.
#[derive(Deserialize)]
struct Unchecked {
    service: ServiceName,
    id: InstanceId,
    #[serde(default)]
    scheme: Scheme,
    addr: SocketAddr,
    version: Option<String>,
    #[serde(default = "one")]
    weight: NonZeroU16,
    health_path: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

impl TryFrom<Unchecked> for Instance {
    type Error = InvalidInstance;

    fn try_from(unchecked: Unchecked) -> Result<Self, InvalidInstance> {
        let instance = Self {
            service: unchecked.service,
            id: unchecked.id,
            scheme: unchecked.scheme,
            addr: unchecked.addr,
            version: unchecked.version,
            weight: unchecked.weight,
            health_path: unchecked.health_path,
            metadata: unchecked.metadata,
        };
        instance.check()?;
        Ok(instance)
    }
}

const fn one() -> NonZeroU16 {
    NonZeroU16::MIN
}

/// `//host` would be read as another host by a client that joins URLs; a fragment is never sent.
fn is_bad_path(path: &str) -> bool {
    path.len() > HEALTH_PATH_LEN_MAX
        || !path.starts_with('/')
        || path.starts_with("//")
        || !path
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'#' && b != b'\\')
}

const HEALTH_PATH_LEN_MAX: usize = 256;
const VERSION_LEN_MAX: usize = 64;
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
    fn what_nobody_could_call_is_refused() {
        let mut no_port = instance();
        no_port.addr.set_port(0);
        assert_eq!(no_port.check(), Err(InvalidInstance::NoPort));
        let mut anywhere = instance();
        anywhere.addr = ([0, 0, 0, 0], 80).into();
        assert_eq!(anywhere.check(), Err(InvalidInstance::Unspecified));
    }

    #[test]
    fn a_health_path_stays_on_the_instance() {
        for good in ["/", "/readyz", "/readyz?full=1"] {
            assert_eq!(instance().health_path(good).check(), Ok(()), "{good}");
        }
        for bad in [
            "",
            "readyz",
            "//evil/",
            "http://evil/",
            "/a b",
            "/a\r\nb",
            "/a#b",
            "/\\evil",
        ] {
            let checked = instance().health_path(bad).check();
            assert_eq!(checked, Err(InvalidInstance::HealthPath), "{bad:?}");
        }
    }

    #[test]
    fn sizes_are_bounded() {
        let long = "x".repeat(257);
        assert!(instance().version(&long).check().is_err());
        assert!(instance().metadata("k", &long).check().is_err());
        assert!(instance().metadata("", "v").check().is_err());
        let many = (0..33).fold(instance(), |i, n| i.metadata(format!("k{n}"), "v"));
        assert_eq!(many.check(), Err(InvalidInstance::Metadata));
    }

    #[test]
    fn json_keeps_everything_and_checks_the_rules() {
        let full = instance()
            .version("1.0")
            .scheme(Scheme::Https)
            .weight(NonZeroU16::new(3).unwrap())
            .health_path("/readyz")
            .metadata("zone", "a");
        let json = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<Instance>(&json).unwrap(), full);
        let bad = json.replace("/readyz", "readyz");
        let error = serde_json::from_str::<Instance>(&bad).unwrap_err();
        assert!(error.to_string().contains("health path"), "{error}");
        let weightless = json.replace("\"weight\":3", "\"weight\":0");
        assert!(serde_json::from_str::<Instance>(&weightless).is_err());
    }
}
