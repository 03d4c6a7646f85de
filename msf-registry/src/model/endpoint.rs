//! Where an instance listens.

use std::{fmt, net::SocketAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An address that an instance listens at, and how it is spoken to there. Written as a URL.
///
/// The host is an IP address: whoever picks an instance connects at once, without a name to resolve.
/// Instances behind names are found by the DNS backend.
///
/// ```
/// use msf_registry::{Endpoint, Scheme};
///
/// let endpoint: Endpoint = "grpc://10.0.0.1:9090".parse()?;
/// assert_eq!((endpoint.scheme, endpoint.addr.port()), (Scheme::Grpc, 9090));
/// assert_eq!(endpoint.to_string(), "grpc://10.0.0.1:9090");
/// assert!("http://payment:80".parse::<Endpoint>().is_err());
/// # Ok::<(), msf_registry::InvalidEndpoint>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a URL without a path has these two parts"
)]
pub struct Endpoint {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Where it listens.
    pub addr: SocketAddr,
}

/// How an instance is spoken to.
///
/// ```
/// use msf_registry::Scheme;
///
/// assert_eq!(Scheme::default().as_str(), "http");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
    /// gRPC over plain HTTP/2.
    Grpc,
    /// gRPC over TLS.
    Grpcs,
    /// Bytes over TCP.
    Tcp,
}

/// Not the address of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// Not of the form `scheme://ip:port`.
    #[error("an endpoint is written as scheme://ip:port, such as http://10.0.0.1:8080")]
    Form,
    /// No scheme of this list.
    #[error("the scheme must be one of http, https, grpc, grpcs, tcp")]
    Scheme,
    /// A name, or no address at all.
    #[error("the host must be an IP address; instances behind names are found through DNS")]
    Host,
    /// Nobody can connect to port 0.
    #[error("port 0 is not an address to connect to")]
    NoPort,
    /// Nobody can connect to an unspecified address.
    #[error("an unspecified address (0.0.0.0, ::) is one to listen on, not one to connect to")]
    Unspecified,
}

impl Endpoint {
    /// An endpoint.
    #[must_use]
    pub const fn new(scheme: Scheme, addr: SocketAddr) -> Self {
        Self { scheme, addr }
    }

    /// Whether somebody could connect to it.
    ///
    /// # Errors
    ///
    /// [`InvalidEndpoint`] with the rule that is broken.
    pub const fn validate(&self) -> Result<(), InvalidEndpoint> {
        if self.addr.port() == 0 {
            return Err(InvalidEndpoint::NoPort);
        }
        if self.addr.ip().is_unspecified() {
            return Err(InvalidEndpoint::Unspecified);
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
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
            Self::Tcp => "tcp",
        }
    }
}

impl FromStr for Scheme {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        [Self::Http, Self::Https, Self::Grpc, Self::Grpcs, Self::Tcp]
            .into_iter()
            .find(|scheme| scheme.as_str() == text)
            .ok_or(InvalidEndpoint::Scheme)
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let (scheme, addr) = text.split_once("://").ok_or(InvalidEndpoint::Form)?;
        let endpoint = Self {
            scheme: scheme.parse()?,
            addr: addr
                .strip_suffix('/')
                .unwrap_or(addr)
                .parse()
                .map_err(|_not_an_addr| InvalidEndpoint::Host)?,
        };
        endpoint.validate()?;
        Ok(endpoint)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.addr)
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_scheme_and_address() {
        for text in ["http://10.0.0.1:80", "grpcs://[::1]:443", "tcp://1.2.3.4:5"] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), text);
        }
        let slash: Endpoint = "http://10.0.0.1:80/".parse().unwrap();
        assert_eq!(slash.to_string(), "http://10.0.0.1:80");
    }

    #[test]
    fn what_nobody_could_call_is_refused() {
        for (text, error) in [
            ("10.0.0.1:80", InvalidEndpoint::Form),
            ("gopher://10.0.0.1:80", InvalidEndpoint::Scheme),
            ("http://payment:80", InvalidEndpoint::Host),
            ("http://10.0.0.1", InvalidEndpoint::Host),
            ("http://a:b@10.0.0.1:80", InvalidEndpoint::Host),
            ("http://10.0.0.1:80/path", InvalidEndpoint::Host),
            ("http://10.0.0.1:0", InvalidEndpoint::NoPort),
            ("http://0.0.0.0:80", InvalidEndpoint::Unspecified),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text}");
        }
    }
}
