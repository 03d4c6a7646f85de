//! What each kind of service is made of.

use msf_client::Client;
use msf_core::{
    BoxError,
    host::{HostConfig, ServiceHost, ServiceHostBuilder},
    metrics::Metrics,
    name::ServiceName,
    trace::{AccessLog, TraceLayer},
};
use msf_registry::{Instance, Registration, Registry};
use tokio::time::{Instant, timeout};

use super::running::{Background, Server, Service};
use crate::{
    context::Context,
    gateway, identity, inventory, order, payment, registry,
    settings::{BREAKER_OPEN, BREAKER_OPEN_MAX, DRAIN_MAX, Kind, START_MAX, ServiceSettings},
    user,
};

/// Starts a service and waits until it is ready: others can find it, and it can find them.
pub(crate) async fn start(settings: &ServiceSettings, began: Instant) -> Result<Service, BoxError> {
    let host = host(settings);
    let metrics = host.metrics();
    match settings.slot.kind {
        Kind::Registry => {
            let registry::Parts { server, checks } = registry::open(&metrics)?;
            // Renewals come every second from every process, and would bury what matters.
            let host = host.trace(TraceLayer::new().access_log(AccessLog::Failures));
            let server = Server::Host(host.router(server).start().await?);
            let background = Background::Checks { _checks: checks };
            Ok(Service::new(settings, began, server, None, background))
        }
        Kind::Gateway => gateway(settings, began).await,
        Kind::Inventory | Kind::Order | Kind::Payment | Kind::User => {
            let context = context(settings, &metrics)?;
            let registry = context.client.registry().clone();
            let parts = match settings.slot.kind {
                Kind::Inventory => inventory::open(&context).await?,
                Kind::Order => order::open(&context).await?,
                Kind::Payment => payment::open(&context).await?,
                _ => user::open(&context).await?,
            };
            let checks = parts.checks.into_iter();
            let host = checks.fold(host, ServiceHostBuilder::health_check);
            let host = host.router(parts.router).start().await?;
            let registration = register(&registry, settings, host.addr()).await?;
            let background = Background::Tasks(parts.background);
            let server = Server::Host(host);
            Ok(Service::new(
                settings,
                began,
                server,
                Some(registration),
                background,
            ))
        }
    }
}

async fn gateway(settings: &ServiceSettings, began: Instant) -> Result<Service, BoxError> {
    let metrics = Metrics::new();
    let context = context(settings, &metrics)?;
    let verifier = identity::verifier(context.user_keys, None)?;
    let registry = context.client.registry().clone();
    let server = gateway::open(context.client, verifier, &metrics, settings.port)?;
    let running = server.start()?;
    // The door is open when there is something behind it.
    for kind in [Kind::User, Kind::Inventory, Kind::Payment, Kind::Order] {
        let service = ServiceName::new(kind.name())?;
        registry.service(&service).ready(START_MAX).await?;
    }
    let note = running
        .operations_addr()
        .map(|addr| format!("metrics on http://{addr}/metrics"));
    let server = Server::Gateway(running);
    let service = Service::new(settings, began, server, None, Background::None);
    Ok(match note {
        Some(note) => service.note(note),
        None => service,
    })
}

pub(super) fn host(settings: &ServiceSettings) -> ServiceHostBuilder {
    let mut config = HostConfig::default();
    config.server.bind = format!("127.0.0.1:{}", settings.port);
    config.drain.timeout = DRAIN_MAX;
    ServiceHost::builder(settings.slot.kind.name())
        .version(env!("CARGO_PKG_VERSION"))
        .instance(settings.slot.instance.clone())
        .config(config)
}

fn context(settings: &ServiceSettings, metrics: &Metrics) -> Result<Context, BoxError> {
    let registry = settings
        .registry
        .ok_or("a service needs the registry's address")?;
    let registry = registry::connect(registry, metrics)?;
    let client = Client::builder(registry)
        .breaker(|breaker| breaker.open_for(BREAKER_OPEN).open_max(BREAKER_OPEN_MAX))
        .metrics(metrics)
        .build()?;
    Ok(Context::new(
        settings.data.clone(),
        metrics.clone(),
        client,
    )?)
}

async fn register(
    registry: &Registry,
    settings: &ServiceSettings,
    addr: std::net::SocketAddr,
) -> Result<Registration, BoxError> {
    let service = ServiceName::new(settings.slot.kind.name())?;
    let instance = Instance::new(service, settings.slot.instance.clone(), addr)
        .version(env!("CARGO_PKG_VERSION"))
        .health_check("/readyz".parse().expect("it is a path"));
    let registration = registry.register(instance);
    timeout(START_MAX, registration.registered()).await??;
    Ok(registration)
}
