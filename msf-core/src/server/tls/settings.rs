//! What is to be served.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use super::super::limits::bounded;

/// The certificates of a listener, and what it asks of its clients.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`default_certificate`](Self::default_certificate) | none | who asks for an unknown name is refused, unless one is set |
/// | [`only_tls13`](Self::only_tls13) | off | TLS 1.2 as rustls speaks it is sound, and some clients have nothing else |
/// | [`handshake_timeout`](Self::handshake_timeout) | 10 s | two round trips, or three after a lost packet; slow ones are attacks |
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "settings do nothing before `Tls::load`"]
pub struct TlsSettings {
    pub(super) default: Option<Certificate>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) is_tls13_only: bool,
    pub(super) handshake_timeout: Duration,
}

/// A certificate with its key, and the names that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until settings have it"]
pub struct Certificate {
    pub(super) chain: Pem,
    pub(super) key: Pem,
    pub(super) names: Vec<String>,
    pub(super) clients: Option<ClientCertificates>,
}

/// Which certificates clients have to show.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until a certificate has it"]
pub struct ClientCertificates {
    pub(super) authorities: Pem,
    pub(super) is_required: bool,
}

/// Text in PEM, or the file that it is in.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Pem {
    File(PathBuf),
    Text { what: &'static str, pem: Arc<str> },
}

impl TlsSettings {
    /// How long a handshake may take unless somebody says otherwise.
    pub const HANDSHAKE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

    /// No certificates yet.
    pub const fn new() -> Self {
        Self {
            default: None,
            certificates: Vec::new(),
            is_tls13_only: false,
            handshake_timeout: Self::HANDSHAKE_TIMEOUT_DEFAULT,
        }
    }

    /// The certificate for clients that ask for no name, or for one that no other is for.
    pub fn default_certificate(mut self, certificate: Certificate) -> Self {
        self.default = Some(certificate);
        self
    }

    /// A certificate for its names.
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificates.push(certificate);
        self
    }

    /// Refuses TLS 1.2.
    pub const fn only_tls13(mut self) -> Self {
        self.is_tls13_only = true;
        self
    }

    /// How long a handshake may take, from the accept on, or from the end of the header of a balancer; from 1 ms to a day.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = bounded(timeout);
        self
    }

    /// The certificates, the default first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Certificate> {
        self.default.iter().chain(&self.certificates)
    }
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self::new()
    }
}

impl Certificate {
    /// From two files in PEM: the chain, the server's own certificate first, and the key (PKCS#8, PKCS#1 or SEC1, not
    /// encrypted).
    pub fn files(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self::new(Pem::File(chain.into()), Pem::File(key.into()))
    }

    /// From texts in PEM.
    pub fn pem(chain: impl Into<Arc<str>>, key: impl Into<Arc<str>>) -> Self {
        Self::new(
            Pem::text("the chain", chain.into()),
            Pem::text("the key", key.into()),
        )
    }

    const fn new(chain: Pem, key: Pem) -> Self {
        Self {
            chain,
            key,
            names: Vec::new(),
            clients: None,
        }
    }

    /// The names that it is served for, such as `shop.example` or `*.shop.example`; those that it contains unless set.
    /// A default certificate is served for all names that no other has, and needs none.
    pub fn names<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Asks those clients for a certificate that are served this one.
    pub fn clients(mut self, clients: ClientCertificates) -> Self {
        self.clients = Some(clients);
        self
    }
}

impl ClientCertificates {
    /// Who has none that one of these authorities has signed, is refused.
    pub fn required(authorities: impl Into<PathBuf>) -> Self {
        Self {
            authorities: Pem::File(authorities.into()),
            is_required: true,
        }
    }

    /// Who has none gets in and is nobody; who has one that is not valid is refused.
    pub fn optional(authorities: impl Into<PathBuf>) -> Self {
        Self {
            is_required: false,
            ..Self::required(authorities)
        }
    }

    /// As [`required`](Self::required), with the certificates of the authorities as text in PEM.
    pub fn required_pem(authorities: impl Into<Arc<str>>) -> Self {
        Self {
            authorities: Pem::text("the authorities", authorities.into()),
            is_required: true,
        }
    }
}

impl Pem {
    const fn text(what: &'static str, pem: Arc<str>) -> Self {
        Self::Text { what, pem }
    }
}

/// What to call it in an error.
impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Text { what, .. } => f.write_str(what),
        }
    }
}

/// Never the text: it may be a key.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Text { .. } => f.write_str("[redacted]"),
        }
    }
}
