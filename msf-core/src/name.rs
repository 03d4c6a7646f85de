//! Names of services and of their instances.
//!
//! A [`ServiceName`] is what callers know (`orders`); an [`InstanceId`] is one process of it. Both are
//! checked once, when they are made, so that no later code has to wonder whether a name fits into a
//! URL, a metric label, a DNS query or a log line. Both are `Arc<str>` inside: a clone allocates
//! nothing.
//!
//! ```
//! use msf_core::name::{InstanceId, ServiceName};
//!
//! let service: ServiceName = "orders".parse()?;
//! let instance = InstanceId::random(&service);
//! assert!(instance.as_str().starts_with("orders-"));
//!
//! assert!("Orders!".parse::<ServiceName>().is_err());
//! # Ok::<(), msf_core::name::InvalidName>(())
//! ```

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of a service: a DNS label of RFC 1123.
///
/// 1 to 63 characters of `a-z`, `0-9` and `-`, with a letter or digit at both ends. The rule is that
/// of DNS labels (RFC 1123 section 2.1, lower case only), so that the same word works as a host name
/// in Kubernetes, as a label value and as a path segment.
///
/// ```
/// use msf_core::name::ServiceName;
///
/// let name = ServiceName::new("payment-service")?;
/// assert_eq!(name, "payment-service");
/// assert_eq!(name.to_string(), "payment-service");
/// assert!(ServiceName::new("-payment").is_err());
/// # Ok::<(), msf_core::name::InvalidName>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(Arc<str>);

/// The identity of one running instance of a service.
///
/// 1 to 128 characters of `a-z`, `A-Z`, `0-9`, `-`, `_`, `.` and `:`, which admits UUIDs, Kubernetes
/// pod names and `host:port`; not `.` and `..`, which mean another place in a URL or a directory.
///
/// ```
/// use msf_core::name::InstanceId;
///
/// let id = InstanceId::new("10.0.0.7:8080")?;
/// assert_eq!(id, "10.0.0.7:8080");
/// assert!(InstanceId::new("two words").is_err());
/// # Ok::<(), msf_core::name::InvalidName>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(Arc<str>);

/// A name that breaks its rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// Not a DNS label.
    #[error(
        "{0:?} is not a service name: use 1 to 63 characters of a-z, 0-9 and '-', \
         with a letter or digit at both ends"
    )]
    Service(Box<str>),
    /// Not an instance id.
    #[error(
        "{0:?} is not an instance id: use 1 to 128 characters of a-z, A-Z, 0-9, '-', '_', '.' and ':', \
         but not . or .. alone"
    )]
    Instance(Box<str>),
}

impl ServiceName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`InvalidName::Service`] when the name is not a lower-case DNS label.
    pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidName> {
        let name = name.as_ref();
        let bytes = name.as_bytes();
        let is_edge =
            |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let is_inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
        if bytes.len() <= SERVICE_LEN_MAX
            && is_edge(bytes.first())
            && is_edge(bytes.last())
            && bytes.iter().all(is_inner)
        {
            Ok(Self(name.into()))
        } else {
            Err(InvalidName::Service(excerpt(name)))
        }
    }
}

impl InstanceId {
    /// Checks an id.
    ///
    /// # Errors
    ///
    /// [`InvalidName::Instance`] when the id is empty, too long or holds another character.
    pub fn new(id: impl AsRef<str>) -> Result<Self, InvalidName> {
        let id = id.as_ref();
        let is_allowed =
            |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        if (1..=INSTANCE_LEN_MAX).contains(&id.len())
            && id.as_bytes().iter().all(is_allowed)
            && !matches!(id, "." | "..")
        {
            Ok(Self(id.into()))
        } else {
            Err(InvalidName::Instance(excerpt(id)))
        }
    }

    /// Makes an id for this process: the service's name and 64 random bits.
    ///
    /// A restarted process gets another id, so that a registry never takes it for its predecessor.
    #[must_use]
    pub fn random(service: &ServiceName) -> Self {
        Self(format!("{service}-{:016x}", fastrand::u64(..)).into())
    }
}

macro_rules! impl_name {
    ($($name:ident),+) => {$(
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidName;

            fn try_from(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    )+};
}

impl_name!(ServiceName, InstanceId);

/// Keeps an error message short whatever was passed in.
fn excerpt(text: &str) -> Box<str> {
    text.chars()
        .take(EXCERPT_LEN_MAX)
        .collect::<String>()
        .into()
}

const SERVICE_LEN_MAX: usize = 63;
const INSTANCE_LEN_MAX: usize = 128;
const EXCERPT_LEN_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn service_names_are_dns_labels() {
        let longest = "a".repeat(63);
        for good in [
            "a",
            "7",
            "orders",
            "order-service",
            "a--b",
            longest.as_str(),
        ] {
            assert!(ServiceName::new(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(64);
        for bad in [
            "",
            "-",
            "a-",
            "-a",
            "Orders",
            "a_b",
            "a.b",
            "a b",
            "ä",
            "a/b",
            too_long.as_str(),
        ] {
            assert!(ServiceName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_is_not_a_place() {
        for bad in [".", "..", "", "a/b"] {
            assert!(InstanceId::new(bad).is_err(), "{bad}");
        }
        for good in ["...", "a.", ".a", ":"] {
            assert!(InstanceId::new(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_huge_name_makes_a_short_error() {
        let error = ServiceName::new("x ".repeat(1 << 20)).unwrap_err();
        assert!(error.to_string().len() < 300);
    }

    #[test]
    fn a_clone_shares_its_text() {
        let name = ServiceName::new("orders").unwrap();
        assert!(std::ptr::eq(name.as_str(), name.clone().as_str()));
    }

    #[test]
    fn random_ids_differ() {
        let service = ServiceName::new("orders").unwrap();
        assert_ne!(InstanceId::random(&service), InstanceId::random(&service));
    }

    #[test]
    fn serde_checks_as_well() {
        assert!(serde_json::from_str::<ServiceName>("\"orders\"").is_ok());
        let error = serde_json::from_str::<ServiceName>("\"Or ders\"").unwrap_err();
        assert!(error.to_string().contains("not a service name"), "{error}");
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_safe_in_a_url_and_a_log_line(text in ".{0,80}") {
            for name in [ServiceName::new(&text).map(|n| n.to_string()), InstanceId::new(&text).map(|i| i.to_string())]
                .into_iter()
                .flatten()
            {
                prop_assert!(name.bytes().all(|b| b.is_ascii_graphic() && !b"/?#%\"'\\".contains(&b)));
            }
        }
    }
}
