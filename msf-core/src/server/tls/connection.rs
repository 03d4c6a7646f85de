//! What a handler may know of an encrypted connection.

use std::fmt;

use http::{HeaderMap, Uri, header};
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::{handle::Tls, snapshot::ClientPolicy};

/// What TLS says about a connection; found through [`Connection::tls`](super::super::Connection::tls).
///
/// ```
/// use http::Request;
/// use msf_core::server::{Body, Connection};
///
/// /// The SPIFFE id or other URI of a client that has shown a certificate.
/// fn workload(request: &Request<Body>) -> Option<&str> {
///     let connection: &Connection = request.extensions().get()?;
///     connection.tls()?.client()?.uris().first().map(String::as_str)
/// }
/// # assert_eq!(workload(&Request::new(Body::empty())), None);
/// ```
pub struct TlsConnection {
    pub(super) tls: Tls,
    pub(super) policy: ClientPolicy,
    pub(super) is_tls13: bool,
    pub(super) server_name: Option<Box<str>>,
    pub(super) client: Option<ClientCertificate>,
}

/// The certificate of a client, which one of the authorities that were asked for has signed.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    der: Box<[u8]>,
    dns_names: Vec<String>,
    uris: Vec<String>,
}

impl TlsConnection {
    /// The name that the client asked for (SNI).
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The certificate of the client, if it has shown one. Whatever it says was verified.
    #[must_use]
    pub const fn client(&self) -> Option<&ClientCertificate> {
        self.client.as_ref()
    }

    /// Whether it is TLS 1.3, and not 1.2.
    #[must_use]
    pub const fn is_tls13(&self) -> bool {
        self.is_tls13
    }

    /// Whether one of the hosts that a request names has another policy than this connection was let in by. Asked of
    /// what is served now: a connection from before a change of policy is of no more use either.
    pub(in crate::server) fn is_misdirected(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let snapshot = self.tls.current();
        if snapshot.common_policy == Some(self.policy) {
            return false;
        }
        let is_others = |host: Option<&str>| {
            let entry = snapshot.entry(host);
            entry.is_none_or(|entry| entry.policy != self.policy)
        };
        // Which of several is meant is for others to decide; here each of them has to be right.
        let target = uri.authority().map(|authority| authority.host());
        let named = headers.get_all(header::HOST).into_iter();
        let mut hosts = named
            .map(|host| host.to_str().map_or("", host_of))
            .chain(target)
            .peekable();
        if hosts.peek().is_none() {
            return is_others(None);
        }
        hosts.any(|host| is_others(Some(host)))
    }
}

/// Without the port.
fn host_of(value: &str) -> &str {
    let end = value.rfind([':', ']']);
    match end {
        Some(at) if value.as_bytes()[at] == b':' => &value[..at],
        _ => value,
    }
}

impl ClientCertificate {
    pub(super) fn new(der: &CertificateDer<'_>) -> Self {
        let names = |all: &mut dyn Iterator<Item = &str>| all.map(str::to_owned).collect();
        let parsed = EndEntityCert::try_from(der).ok();
        let (dns_names, uris) = parsed.map_or_else(Default::default, |it| {
            (
                names(&mut it.valid_dns_names()),
                names(&mut it.valid_uri_names()),
            )
        });
        Self {
            der: der.as_ref().into(),
            dns_names,
            uris,
        }
    }

    /// The whole certificate in DER, for whoever needs more of it.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its DNS names.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }

    /// Its URIs, such as a SPIFFE id.
    #[must_use]
    pub fn uris(&self) -> &[String] {
        &self.uris
    }
}

impl fmt::Debug for TlsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnection")
            .field("server_name", &self.server_name)
            .field("is_tls13", &self.is_tls13)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("dns_names", &self.dns_names)
            .field("uris", &self.uris)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn a_port_is_not_a_part_of_the_name() {
        for (value, expected) in [
            ("shop.example", "shop.example"),
            ("shop.example:443", "shop.example"),
            ("[::1]:443", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
            (":443", ""),
        ] {
            assert_eq!(host_of(value), expected);
        }
    }
}
