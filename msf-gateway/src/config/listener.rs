//! What listeners do besides plain HTTP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{Texts, Time};

/// The certificates of a listener. Files are in PEM; they are looked at every 10 s, and whenever the configuration is
/// applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsConfig {
    /// The file with the chain for clients that ask for a name that no other certificate is for; such clients are
    /// refused unless set.
    pub cert: Option<String>,
    /// The file with its key.
    pub key: Option<String>,
    /// The file with the authorities of the certificates that clients have to show; none are asked for unless set.
    pub client_ca: Option<String>,
    /// Whether clients have to show one; required unless set.
    pub client_certificates: Option<ClientCertificatesConfig>,
    /// Certificates for certain names.
    pub certificates: Vec<CertificateConfig>,
    /// The oldest version that is spoken; 1.2 unless set.
    pub min_version: Option<TlsVersion>,
    /// Time for a handshake; 10 s unless set.
    pub handshake_timeout: Option<Time>,
}

/// A certificate for certain names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CertificateConfig {
    /// The names, such as `shop.example` or `*.shop.example`; those that the certificate contains unless set.
    pub names: Texts,
    /// The file with the chain; required.
    pub cert: Option<String>,
    /// The file with its key; required.
    pub key: Option<String>,
    /// The file with the authorities of the certificates that clients of these names have to show; none are asked for
    /// unless set.
    pub client_ca: Option<String>,
    /// Whether clients have to show one; required unless set.
    pub client_certificates: Option<ClientCertificatesConfig>,
}

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientCertificatesConfig {
    /// Who has none is refused.
    Required,
    /// Who has none gets in and is nobody.
    Optional,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum TlsVersion {
    /// 1.2 and what is newer.
    #[serde(rename = "1.2")]
    V12,
    /// 1.3 and nothing else.
    #[serde(rename = "1.3")]
    V13,
}

/// Balancers that say by the PROXY protocol, version 1 or 2, whose each connection is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProxyProtocolConfig {
    /// Their addresses, or blocks such as `10.0.0.0/8`; required. Connections from elsewhere are closed.
    pub trusted: Texts,
    /// Time for the header; 5 s unless set.
    pub timeout: Option<Time>,
}
