//! Where the key set is, and how far the call may go.

use std::{fmt, time::Duration};

use reqwest::Url;

use super::{
    HttpJwks,
    metadata::{self, Discovery},
    source::Location,
};
use crate::outbound::{InvalidEndpoint, Network, Origin, Outbound, shown};

/// Sets how far [`HttpJwks`] may go. Made by [`HttpJwks::at`] and [`HttpJwks::discovery`].
///
/// ```
/// use msf_auth::HttpJwks;
///
/// // Google's keys are at another host than its issuer.
/// let source = HttpJwks::discovery("https://accounts.google.com")
///     .allow_host("www.googleapis.com")
///     .build()?;
/// // An issuer of one's own network, with a certificate authority of one's own.
/// # let pem = b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
/// let outcome = HttpJwks::discovery("https://id.internal").allow_private_addresses().root_certificates(pem).build();
/// # let _ = outcome;
/// # Ok::<(), msf_auth::InvalidEndpoint>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpJwksBuilder {
    target: Target,
    hosts: Vec<Box<str>>,
    network: Network,
}

#[derive(Clone)]
enum Target {
    Url(Box<str>),
    Issuer(Box<str>),
}

impl HttpJwksBuilder {
    pub(super) fn at(url: &str) -> Self {
        Self::new(Target::Url(url.into()))
    }

    pub(super) fn discovery(issuer: &str) -> Self {
        Self::new(Target::Issuer(issuer.into()))
    }

    const fn new(target: Target) -> Self {
        Self {
            target,
            hosts: Vec::new(),
            network: Network::DEFAULT,
        }
    }

    /// A host, or a host and a port, where a discovery document may say that the keys are, besides the issuer's own; may
    /// be called for several. For a known address it changes nothing.
    ///
    /// What a discovery document names elsewhere is refused: who can change the document could otherwise let this
    /// process call whatever it can reach.
    pub fn allow_host(mut self, host: impl Into<Box<str>>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Takes `http` to this machine (`localhost`, `127.0.0.0/8`, `::1`), for tests and sidecars.
    pub const fn allow_http_loopback(mut self) -> Self {
        self.network.allow_http_loopback();
        self
    }

    /// Takes addresses of the own network, for issuers that run beside the service.
    ///
    /// Link-local addresses and those of metadata services stay out of reach.
    pub const fn allow_private_addresses(mut self) -> Self {
        self.network.allow_private_addresses();
        self
    }

    pub(super) const fn allow_anything(mut self) -> Self {
        self.network.allow_anything();
        self
    }

    /// Certificate authorities in PEM that are trusted besides those of the system.
    pub fn root_certificates(mut self, pem: &[u8]) -> Self {
        self.network.roots.push(pem.into());
        self
    }

    /// How long one exchange may take; default 2 s. [`RemoteKeysBuilder::fetch_timeout`] bounds the whole fetch.
    ///
    /// [`RemoteKeysBuilder::fetch_timeout`]: crate::RemoteKeysBuilder::fetch_timeout
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.network.timeout = timeout;
        self
    }

    /// The source; nothing is called yet.
    ///
    /// # Errors
    ///
    /// [`InvalidEndpoint`] for an address that may not be called.
    pub fn build(self) -> Result<HttpJwks, InvalidEndpoint> {
        let hosts = self.hosts.iter().map(|host| Origin::parse(host));
        let mut origins = hosts.collect::<Result<Vec<_>, _>>()?;
        let location = match &self.target {
            Target::Url(url) => Location::Known(self.network.endpoint(url)?),
            Target::Issuer(issuer) => {
                let base = self.network.endpoint(issuer)?;
                let url = metadata::address_of(issuer, &base)?;
                origins.push(Origin::of(&base));
                Location::Discovered(Discovery::new(issuer.clone(), url, origins))
            }
        };
        let outbound = Outbound::new(self.network)?;
        Ok(HttpJwks::assemble(outbound, location))
    }
}

/// Without what an address may have for a secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Url(text) | Self::Issuer(text)) = self;
        let shown = Url::parse(text).map(|url| shown(&url));
        f.write_str(shown.as_deref().unwrap_or("no URL"))
    }
}
