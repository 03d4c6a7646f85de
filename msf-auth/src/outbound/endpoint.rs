//! Addresses that may be called.

use std::{net::IpAddr, time::Duration};

use reqwest::Url;
use thiserror::Error;

use super::reach::Reach;

/// An address that is not called.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// It is not a URL.
    #[error("the address is not a URL")]
    Syntax(#[source] msf_core::BoxError),
    /// It is not `https`: who can change an answer on its way can sign tokens.
    #[error("the address is not https")]
    NotHttps,
    /// It has a user name, a password or a fragment, or, for an issuer, a query.
    #[error("the address has a part that does not belong there")]
    Part,
    /// It names a private address and those have not been allowed, or one that is never allowed.
    #[error("{0} is no public address, and private ones were not allowed")]
    Reach(IpAddr),
    /// It is at a host that has not been allowed.
    #[error("the host `{0}` has not been allowed")]
    Host(Box<str>),
    /// The root certificates that were given are not PEM.
    #[error("the root certificates are not PEM")]
    Certificate(#[source] msf_core::BoxError),
    /// The TLS client could not be set up.
    #[error("the client could not be set up")]
    Client(#[source] msf_core::BoxError),
}

/// What may be called, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) http: Http,
    pub(crate) reach: Reach,
    pub(crate) roots: Vec<Box<[u8]>>,
    pub(crate) timeout: Duration,
}

/// Where plain `http` may be spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http {
    Nowhere,
    Loopback,
    Anywhere,
}

/// A host with its port.
#[cfg(any(feature = "jwks", test))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    host: Box<str>,
    port: u16,
}

/// As that of a fetch of keys: the whole exchange, not each part of it.
const TIMEOUT: Duration = Duration::from_secs(2);

impl Network {
    pub(crate) const DEFAULT: Self = Self {
        http: Http::Nowhere,
        reach: Reach::Public,
        roots: Vec::new(),
        timeout: TIMEOUT,
    };

    pub(crate) const fn allow_http_loopback(&mut self) {
        self.http = Http::Loopback;
    }

    pub(crate) const fn allow_private_addresses(&mut self) {
        self.reach = Reach::Private;
    }

    #[cfg(any(feature = "jwks", test))]
    pub(crate) const fn allow_anything(&mut self) {
        self.http = Http::Anywhere;
        self.reach = Reach::Any;
    }

    /// The address, if it may be called.
    pub(crate) fn endpoint(&self, text: &str) -> Result<Url, InvalidEndpoint> {
        let url = Url::parse(text).map_err(|error| InvalidEndpoint::Syntax(error.into()))?;
        let ip = literal(&url);
        let is_own = ip.map_or_else(
            || url.host_str() == Some("localhost"),
            |ip| ip.is_loopback(),
        );
        let is_own_open = is_own && self.http == Http::Loopback;
        let is_allowed = match url.scheme() {
            "https" => true,
            "http" => is_own_open || self.http == Http::Anywhere,
            _ => false,
        };
        if !is_allowed {
            return Err(InvalidEndpoint::NotHttps);
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(InvalidEndpoint::Part);
        }
        // A resolver is never asked about an address, so it is looked at here.
        match ip.filter(|ip| !is_own_open && !self.reach.covers(*ip)) {
            Some(ip) => Err(InvalidEndpoint::Reach(ip)),
            None => Ok(url),
        }
    }
}

#[cfg(any(feature = "jwks", test))]
impl Origin {
    pub(crate) fn of(url: &Url) -> Self {
        Self {
            host: url.host_str().unwrap_or_default().into(),
            port: url.port_or_known_default().unwrap_or_default(),
        }
    }

    /// From `id.example` or `id.example:8443`.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        let url = Url::parse(&format!("https://{text}/"))
            .map_err(|error| InvalidEndpoint::Syntax(error.into()))?;
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && !text.contains(['/', '?', '#', '\\', '@']);
        if is_bare {
            Ok(Self::of(&url))
        } else {
            Err(InvalidEndpoint::Part)
        }
    }
}

/// A URL for logs and for `Debug`: who puts a secret into one puts it where this leaves it out.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    let port = port.unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

/// The address that a URL names instead of a host.
fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(set: impl FnOnce(&mut Network)) -> Network {
        let mut network = Network::DEFAULT;
        set(&mut network);
        network
    }

    #[test]
    fn only_https_to_public_hosts_is_taken() {
        let network = network(|_| {});
        assert!(network.endpoint("https://id.example/keys?v=1").is_ok());
        assert!(network.endpoint("https://8.8.8.8/keys").is_ok());
        for text in [
            "http://id.example/",
            "file:///etc/passwd",
            "http://127.0.0.1/",
            "ftp://a/",
        ] {
            let outcome = network.endpoint(text);
            assert!(matches!(outcome, Err(InvalidEndpoint::NotHttps)), "{text}");
        }
        for text in [
            "https://a:b@id.example/",
            "https://a@id.example/",
            "https://id.example/#x",
        ] {
            let outcome = network.endpoint(text);
            assert!(matches!(outcome, Err(InvalidEndpoint::Part)), "{text}");
        }
        for text in ["id.example", "", "https://", "//id.example/"] {
            let outcome = network.endpoint(text);
            assert!(matches!(outcome, Err(InvalidEndpoint::Syntax(_))), "{text}");
        }
    }

    #[test]
    fn an_address_is_looked_at_in_any_spelling() {
        let network = network(|_| {});
        for text in [
            "https://10.0.0.1/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
            "https://0/",
        ] {
            let outcome = network.endpoint(text);
            assert!(matches!(outcome, Err(InvalidEndpoint::Reach(_))), "{text}");
        }
    }

    #[test]
    fn what_is_allowed_is_taken_and_no_more() {
        let loopback = network(Network::allow_http_loopback);
        for text in [
            "http://127.0.0.1:8080/",
            "http://localhost/",
            "http://[::1]/",
            "https://127.0.0.1/",
        ] {
            assert!(loopback.endpoint(text).is_ok(), "{text}");
        }
        for text in [
            "http://10.0.0.1/",
            "http://localhost.example/",
            "https://10.0.0.1/",
        ] {
            assert!(loopback.endpoint(text).is_err(), "{text}");
        }
        let private = network(Network::allow_private_addresses);
        assert!(private.endpoint("https://10.0.0.1/").is_ok());
        assert!(private.endpoint("http://10.0.0.1/").is_err());
        assert!(private.endpoint("https://169.254.169.254/").is_err());
        let any = network(Network::allow_anything);
        assert!(any.endpoint("http://169.254.169.254/").is_ok());
        assert!(any.endpoint("file:///etc/passwd").is_err());
    }

    #[test]
    fn an_origin_is_a_host_and_a_port() {
        let of = |text: &str| Origin::of(&Url::parse(text).unwrap());
        let parse = |text: &str| Origin::parse(text).unwrap();
        assert_eq!(parse("ID.example"), of("https://id.example/keys"));
        assert_eq!(parse("id.example:8443"), of("https://id.example:8443/"));
        assert_ne!(parse("id.example"), of("https://id.example:8443/"));
        assert_ne!(parse("id.example"), of("https://id.example.evil.example/"));
        for text in ["", "a/b", "a@b", "https://a", "a?b", "a#b", "a\\b"] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }
}
