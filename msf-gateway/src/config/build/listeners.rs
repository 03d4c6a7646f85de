//! From what is written about listeners to what they do.

use msf_core::server::ProxyProtocol;
#[cfg(feature = "tls")]
use msf_core::server::{
    Tls, TlsSettings,
    tls::{Certificate, ClientCertificates},
};

use super::{headers, report::Report};
#[cfg(feature = "tls")]
use crate::config::{ClientCertificatesConfig, TlsVersion};
use crate::{
    config::{GatewayConfig, ListenerConfig, TlsConfig},
    headers::forwarded::Forwarding,
};

/// What each listener says about its clients, and the port of its redirect.
pub(super) fn rules(config: &GatewayConfig, report: &mut Report) -> Vec<(Forwarding, Option<u16>)> {
    let listeners = config.listeners.iter().enumerate();
    let rule = |(place, listener): (usize, &ListenerConfig)| {
        let mut forwarding = Forwarding::default();
        let at = format!("listeners[{place}].trusted_proxies");
        for range in headers::ranges(&listener.trusted_proxies, &at, report) {
            forwarding = forwarding.trust(range);
        }
        if listener.https {
            forwarding = forwarding.https();
        }
        if listener.forwarded {
            forwarding = forwarding.rfc7239();
        }
        (forwarding, listener.redirect_to_https)
    };
    listeners.map(rule).collect()
}

/// For each listener that runs, the place of the table that speaks of it now. Tables may have come, gone and changed
/// places, and what one says about an address must not be applied to another one: it is found by its address, and has
/// no table while one of the things differs that need a restart.
pub(crate) fn running_places(first: &GatewayConfig, next: &GatewayConfig) -> Vec<Option<usize>> {
    let mut left: Vec<usize> = (0..next.listeners.len()).collect();
    let place = |running: &ListenerConfig| {
        // Several may ask for any free port: each takes the next table.
        let found = left
            .iter()
            .position(|place| next.listeners[*place].bind == running.bind);
        let place = left.remove(found?);
        (next.listeners[place].tls.is_some() == running.tls.is_some()).then_some(place)
    };
    first.listeners.iter().map(place).collect()
}

/// Looks at the settings alone, and opens no file.
pub(super) fn check(listener: &ListenerConfig, at: &str, report: &mut Report) {
    proxy_protocol(listener, at, report);
    if let Some(port) = listener.redirect_to_https {
        let at = format!("{at}.redirect_to_https");
        if port == 0 {
            report.hint(&at, "must be a port", "443 is that of https");
        }
        if listener.tls.is_some() || listener.https {
            report.hint(
                at,
                "is for listeners without TLS",
                "whoever comes here speaks https already",
            );
        }
    }
    if let Some(tls) = &listener.tls {
        check_tls(tls, &format!("{at}.tls"), report);
    }
}

fn check_tls(tls: &TlsConfig, at: &str, report: &mut Report) {
    #[cfg(not(feature = "tls"))]
    report.hint(
        at,
        "this program was built without TLS",
        "build it with the feature `tls` of msf-gateway",
    );
    if tls.cert.is_none() && tls.certificates.is_empty() {
        report.hint(
            format!("{at}.cert"),
            "must be set, unless there are `certificates` for names",
            "the file with the chain in PEM, the server's own certificate first",
        );
    }
    let whole = [(
        at.to_owned(),
        tls.cert.is_some(),
        tls.key.is_some(),
        tls.client_ca.is_some(),
        tls.client_certificates.is_some(),
    )];
    let named = tls.certificates.iter().enumerate();
    let named = named.map(|(place, certificate)| {
        let at = format!("{at}.certificates[{place}]");
        if certificate.cert.is_none() {
            report.at(format!("{at}.cert"), "must be set");
        }
        (
            at,
            // A key without a chain is told of once.
            true,
            certificate.key.is_some(),
            certificate.client_ca.is_some(),
            certificate.client_certificates.is_some(),
        )
    });
    let named: Vec<_> = named.collect();
    for (at, has_cert, has_key, has_ca, says_clients) in whole.into_iter().chain(named) {
        match (has_cert, has_key) {
            (true, false) => report.at(format!("{at}.key"), "must be set"),
            (false, true) => report.at(format!("{at}.cert"), "must be set beside `key`"),
            _ => {}
        }
        if says_clients && !has_ca {
            report.at(
                format!("{at}.client_ca"),
                "must be set beside `client_certificates`",
            );
        }
        if has_ca && !has_cert {
            report.hint(
                format!("{at}.client_ca"),
                "is for the certificate beside it, and there is none",
                "set it in each of the `certificates` that it is for",
            );
        }
    }
}

/// Who has to say whose each connection is.
pub(super) fn proxy_protocol(
    listener: &ListenerConfig,
    at: &str,
    report: &mut Report,
) -> Option<ProxyProtocol> {
    let config = listener.proxy_protocol.as_ref()?;
    let at = format!("{at}.proxy_protocol.trusted");
    if config.trusted.as_slice().is_empty() {
        report.hint(
            &at,
            "must be set",
            "the addresses of the balancers, as [\"10.0.0.0/8\"]; all others are refused",
        );
    }
    let mut expected = ProxyProtocol::new();
    for range in headers::ranges(&config.trusted, &at, report) {
        expected = expected.trust(range);
    }
    if let Some(timeout) = config.timeout {
        expected = expected.timeout(timeout.get());
    }
    Some(expected)
}

/// The certificates of a listener, read.
#[cfg(feature = "tls")]
pub(super) fn tls(listener: &ListenerConfig, at: &str, report: &mut Report) -> Option<Tls> {
    let settings = tls_settings(listener.tls.as_ref()?);
    report.check(format!("{at}.tls"), Tls::load(settings))
}

/// As they were checked: what is left out in spite of that is found missing when it is loaded.
#[cfg(feature = "tls")]
fn tls_settings(config: &TlsConfig) -> TlsSettings {
    let certificate = |cert: &Option<String>,
                       key: &Option<String>,
                       client_ca: &Option<String>,
                       clients: Option<ClientCertificatesConfig>| {
        let certificate = Certificate::files(
            cert.as_deref().unwrap_or_default(),
            key.as_deref().unwrap_or_default(),
        );
        match client_ca {
            None => certificate,
            Some(ca) => certificate.clients(match clients {
                Some(ClientCertificatesConfig::Optional) => ClientCertificates::optional(ca),
                Some(ClientCertificatesConfig::Required) | None => ClientCertificates::required(ca),
            }),
        }
    };
    let mut settings = TlsSettings::new();
    if config.cert.is_some() {
        settings = settings.default_certificate(certificate(
            &config.cert,
            &config.key,
            &config.client_ca,
            config.client_certificates,
        ));
    }
    for named in &config.certificates {
        let one = certificate(
            &named.cert,
            &named.key,
            &named.client_ca,
            named.client_certificates,
        );
        settings = settings.certificate(one.names(named.names.as_slice()));
    }
    if config.min_version == Some(TlsVersion::V13) {
        settings = settings.only_tls13();
    }
    if let Some(timeout) = config.handshake_timeout {
        settings = settings.handshake_timeout(timeout.get());
    }
    settings
}
