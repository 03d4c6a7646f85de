//! Where services are found.

use msf_client::{Client, InvalidClient};
use msf_core::metrics::Metrics;
use msf_registry::{
    LoadBalancing, Registry, RegistryBuilder,
    backend::{file::FileRegistry, fixed::StaticRegistry, http::HttpRegistry},
};

use super::{clusters, report::Report};
use crate::config::{GatewayConfig, RegistryConfig};

/// Looks at the settings alone.
pub(super) fn check(config: &RegistryConfig, report: &mut Report) {
    match (&config.file, &config.http) {
        (Some(_), Some(_)) => report.at("registry.http", "cannot stand beside `file`"),
        (None, None) => report.hint("registry", "is empty", "set `file` or `http`"),
        (Some(_), None) if config.token.is_some() => {
            report.at("registry.token", "is for an HTTP registry");
        }
        _ => {}
    }
}

/// The client that all gateways of one process use, one after the other.
pub(super) fn client(
    config: &GatewayConfig,
    metrics: &Metrics,
    report: &mut Report,
) -> Option<Client> {
    let mut builder = backend(config.registry.as_ref(), report)?.metrics(metrics);
    let zone = config.zone.as_deref();
    if let Some(zone) = zone {
        builder = builder.load_balancing(LoadBalancing::default().zone(zone));
    }
    for (name, cluster) in &config.clusters {
        if cluster.discover
            && clusters::spreads(cluster, config)
            && let Ok(service) = msf_core::name::ServiceName::new(name)
        {
            let at = format!("clusters.{name}");
            let balancing = clusters::load_balancing(cluster, &at, zone, report);
            builder = builder.load_balancing_of(service, balancing);
        }
    }
    let registry = report.check("registry", builder.build())?;
    let client: Result<Client, InvalidClient> = Client::builder(registry).metrics(metrics).build();
    report.check("", client)
}

fn backend(config: Option<&RegistryConfig>, report: &mut Report) -> Option<RegistryBuilder> {
    let Some(config) = config else {
        return Some(Registry::builder(StaticRegistry::new()));
    };
    if let Some(path) = &config.file {
        let registry = report.check("registry.file", FileRegistry::open(path))?;
        return Some(Registry::builder(registry));
    }
    let mut builder = HttpRegistry::builder(config.http.as_deref().unwrap_or_default());
    if let Some(token) = &config.token {
        builder = builder.token(token.secret().clone());
    }
    let registry = report.check("registry.http", builder.build())?;
    Some(Registry::builder(registry))
}
