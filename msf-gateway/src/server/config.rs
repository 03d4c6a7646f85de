//! [`GatewayServer`].

use std::{iter, net::SocketAddr, sync::Arc, thread, time::Duration};

use msf_client::transport::{Connections, ConnectionsBuilder};
#[cfg(feature = "tls")]
use msf_core::server::Tls;
use msf_core::{
    metrics::MetricsError,
    server::{BindError, DrainPlan, Limits, Listener, ProxyProtocol, Served, Server},
    task,
};

use super::{operations::Operations, running::RunningGateway};
use crate::{
    access_log::AccessRecord,
    admin::{Admin, AdminError, AdminService},
    gateway::Gateway,
    listener::GatewayListener,
};

/// How a gateway is served; made by [`Gateway::server`].
///
/// | setting | default | why |
/// |---|---|---|
/// | [`workers`](Self::workers) | one per core | a thread per core, and nothing moves between them |
/// | [`limits`](Self::limits) | those of `msf_core::server`, bodies as the routes say, and half of the connections for one address | a single address must not take the place of all others; trusted proxies have no cap |
/// | [`drain_plan`](Self::drain_plan) | 0 s, then 15 s | as `ServiceHost` outside of Kubernetes |
/// | [`listener`](Self::listener) | none besides the address | |
/// | [`admin`](Self::admin) | none | what it shows and does is for operators |
/// | [`operations`](Self::operations) | none | `/metrics` has an address of its own, not for the world |
/// | [`connections`](Self::connections) | those of the transport, counted in the gateway's metrics | each worker has its own |
#[derive(Clone, Debug)]
#[must_use = "a server does nothing before `start` or `run_until`"]
pub struct GatewayServer {
    gateway: Gateway,
    first: GatewayListener,
    others: Vec<GatewayListener>,
    workers: usize,
    limits: Limits,
    plan: DrainPlan,
    operations: Option<SocketAddr>,
    admin: Option<Admin>,
    connections: Option<ConnectionsBuilder>,
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The admin listener would be open to the world.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The metrics of the process could not be registered.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] MetricsError),
    /// The server failed while it served.
    #[error("the server failed")]
    Serve(#[source] std::io::Error),
}

impl GatewayServer {
    pub(crate) fn at(gateway: Gateway, first: GatewayListener) -> Self {
        Self {
            gateway,
            first,
            others: Vec::new(),
            workers: thread::available_parallelism().map_or(1, usize::from),
            limits: Limits::default(),
            plan: DrainPlan::new(Duration::ZERO, DRAIN_TIMEOUT),
            operations: None,
            admin: None,
            connections: None,
        }
    }

    /// How many threads serve, at least 1.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// What clients are granted. Of bodies each route grants its own size, which another configuration may change.
    ///
    /// If nothing is said about connections for each address, one address may have half of all. Trusted proxies may
    /// have all, since everybody is behind them.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Listens at another address too; the first one has the [place](crate::listener) 1.
    pub fn listener(mut self, listener: GatewayListener) -> Self {
        self.others.push(listener);
        self
    }

    /// Expects a balancer in front of the first address; see [`GatewayListener::proxy_protocol`].
    pub fn proxy_protocol(mut self, expected: ProxyProtocol) -> Self {
        self.first = self.first.proxy_protocol(expected);
        self
    }

    /// Speaks TLS at the first address. The files of certificates are looked at every 10 s while the gateway runs.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.first = self.first.tls(tls);
        self
    }

    /// The certificates, by the places of their listeners.
    #[cfg(all(feature = "config", feature = "tls"))]
    pub(crate) fn certificates(&self) -> Vec<Option<Tls>> {
        let listeners = iter::once(&self.first).chain(&self.others);
        listeners.map(|listener| listener.tls.clone()).collect()
    }

    /// How the gateway ends.
    pub const fn drain_plan(mut self, plan: DrainPlan) -> Self {
        self.plan = plan;
        self
    }

    /// Answers `/metrics`, `/health` with all services, `/livez` and `/readyz` at another address, such as
    /// `127.0.0.1:9090`: one that the world cannot reach.
    pub const fn operations(mut self, addr: SocketAddr) -> Self {
        self.operations = Some(addr);
        self
    }

    /// Opens the [admin listener](crate::admin).
    pub fn admin(mut self, admin: Admin) -> Self {
        self.admin = Some(admin);
        self
    }

    /// How each worker connects to the services.
    pub fn connections(mut self, connections: ConnectionsBuilder) -> Self {
        self.connections = Some(connections);
        self
    }

    /// Binds the addresses and starts the workers.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start(self) -> Result<RunningGateway, StartError> {
        if let Some(admin) = &self.admin {
            admin.check()?;
        }
        let listeners: Vec<&GatewayListener> =
            iter::once(&self.first).chain(&self.others).collect();
        let mut shards: Vec<Vec<Listener>> = Vec::new();
        shards.resize_with(self.workers, Vec::new);
        let mut addrs = Vec::with_capacity(listeners.len());
        for (place, listener) in listeners.iter().enumerate() {
            let bound = listener.bind(place, self.workers)?;
            addrs.push(bound.first().map_or(listener.addr, Listener::local_addr));
            for (shard, listener) in shards.iter_mut().zip(bound) {
                shard.push(listener);
            }
        }
        let operations = self.operations.map(Listener::bind).transpose()?;
        let operations_addr = operations.as_ref().map(Listener::local_addr);
        let server = self.guarded(Server::new())?;
        let admin = match self.admin {
            Some(admin) => Some((admin.clone(), Listener::bind(admin.addr())?)),
            None => None,
        };
        let admin_addr = admin.as_ref().map(|(_, listener)| listener.local_addr());

        let metrics = self.gateway.metrics();
        metrics.register_process()?;
        metrics.register_runtime("control", &tokio::runtime::Handle::current())?;

        let connections = match self.connections {
            Some(connections) => connections,
            None => Connections::builder().metrics(metrics)?,
        };

        let operating = operations.map(|listener| {
            // It follows the same drain, but has nothing to wait for.
            let server = Server::new().with_drain(server.drain().clone());
            let service = Operations::new(&self.gateway);
            task::spawn("gateway operations", async move {
                server.serve(listener, service).await
            })
        });
        let administering = admin.map(|(settings, listener)| {
            // A drain does not end it, so that it can be watched; `RunningGateway::stop` does.
            let limits = Limits::default()
                .connections_max(ADMIN_CONNECTIONS_MAX)
                .body_limit(ADMIN_BODY_MAX);
            let service =
                AdminService::new(settings, self.gateway.clone(), server.clone(), self.plan);
            let server = Server::new().limits(limits);
            task::spawn("gateway admin", async move {
                server.serve(listener, service).await
            })
        });
        let serving = {
            let (server, gateway) = (server.clone(), self.gateway.clone());
            task::spawn("gateway", async move {
                // Called on each worker's own thread, so that its connections belong to its runtime.
                let worker = move || gateway.worker(connections.clone().build());
                server.serve_shards(shards, worker).await
            })
        };
        #[cfg(feature = "tls")]
        let watches: Vec<task::Task<()>> = listeners
            .iter()
            .filter_map(|listener| Some(listener.tls.as_ref()?.watch(Tls::WATCH_EVERY)))
            .collect();
        self.gateway.health().set_ready();
        let url = |listener: &GatewayListener, addr: &SocketAddr| {
            let scheme = if listener.is_encrypted() {
                "https"
            } else {
                "http"
            };
            format!("{scheme}://{addr}")
        };
        let urls: Vec<String> = listeners
            .iter()
            .zip(&addrs)
            .map(|(it, addr)| url(it, addr))
            .collect();
        let urls = urls.join(", ");
        tracing::info!(
            target: TARGET,
            url = urls,
            operations = operations_addr.map(|addr| tracing::field::display(format!("http://{addr}"))),
            admin = admin_addr.map(|addr| tracing::field::display(format!("http://{addr}"))),
            workers = self.workers,
            "listening on {urls}"
        );
        Ok(RunningGateway {
            gateway: self.gateway,
            server,
            plan: self.plan,
            addrs,
            #[cfg(feature = "tls")]
            _watches: watches,
            operations_addr,
            admin_addr,
            serving: Some(serving),
            operating,
            administering,
        })
    }

    /// A server that holds its clients to the limits and says whom it refuses.
    fn guarded(&self, server: Server) -> Result<Server, MetricsError> {
        let limits = self.limits.body_limit(usize::MAX).or_half_per_address();
        // Who is trusted changes with the configuration.
        let live = Arc::clone(&self.gateway.live);
        let server = server
            .limits(limits)
            .metrics(self.gateway.metrics())?
            .uncapped(move |place, ip| live.current().rules.trusts(place, ip));
        let Some(log) = self.gateway.shared().access_log.clone() else {
            return Ok(server);
        };
        Ok(server.on_refused(move |refused| {
            if let Some(record) = AccessRecord::of_refused(refused) {
                log.push(Box::new(record));
            }
        }))
    }

    /// Starts, serves until `shutdown` is done, and drains.
    ///
    /// # Errors
    ///
    /// [`StartError`] when it does not start, or when the server fails.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cuts the gateway off.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<Served, StartError> {
        let mut running = self.start()?;
        tokio::select! {
            biased;
            () = shutdown => {}
            // The server ends by itself only when it fails.
            () = running.finished() => {}
        }
        running.stop().await
    }
}

/// People, a page that asks for four documents, and a scraper.
const ADMIN_CONNECTIONS_MAX: u32 = 64;
const ADMIN_BODY_MAX: usize = 64 << 10;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);
pub(super) const TARGET: &str = "msf_gateway::server";
