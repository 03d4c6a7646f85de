//! [`GatewayServer`].

use std::{net::SocketAddr, thread, time::Duration};

use msf_client::transport::{Connections, ConnectionsBuilder};
use msf_core::{
    metrics::MetricsError,
    server::{BindError, DrainPlan, Limits, Listener, Served, Server},
    task,
};

use super::{operations::Operations, running::RunningGateway};
use crate::{
    admin::{Admin, AdminError, AdminService},
    gateway::Gateway,
};

/// How a gateway is served; made by [`Gateway::server`].
///
/// | setting | default | why |
/// |---|---|---|
/// | [`workers`](Self::workers) | one per core | a thread per core, and nothing moves between them |
/// | [`limits`](Self::limits) | those of `msf_core::server`, bodies as the routes say | |
/// | [`drain_plan`](Self::drain_plan) | 0 s, then 15 s | as `ServiceHost` outside of Kubernetes |
/// | [`admin`](Self::admin) | none | what it shows and does is for operators |
/// | [`operations`](Self::operations) | none | `/metrics` has an address of its own, not for the world |
/// | [`connections`](Self::connections) | those of the transport, counted in the gateway's metrics | each worker has its own |
#[derive(Clone, Debug)]
#[must_use = "a server does nothing before `start` or `run_until`"]
pub struct GatewayServer {
    gateway: Gateway,
    addr: SocketAddr,
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
    pub(crate) fn new(gateway: Gateway, addr: SocketAddr) -> Self {
        let limits = Limits::default().body_limit(gateway.body_limit_max);
        Self {
            gateway,
            addr,
            workers: thread::available_parallelism().map_or(1, usize::from),
            limits,
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

    /// What clients are granted. The body limit is set to the largest of the routes: each route enforces its
    /// own.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits.body_limit(self.gateway.body_limit_max);
        self
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
        let listeners = Listener::bind_shared(self.addr, self.workers)?;
        let addr = listeners.first().map_or(self.addr, Listener::local_addr);
        let operations = self.operations.map(Listener::bind).transpose()?;
        let operations_addr = operations.as_ref().map(Listener::local_addr);
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

        let server = Server::new().limits(self.limits);
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
                server.serve_sharded(listeners, worker).await
            })
        };
        self.gateway.health().set_ready();
        tracing::info!(
            target: TARGET,
            url = %format_args!("http://{addr}"),
            operations = operations_addr.map(|addr| tracing::field::display(format!("http://{addr}"))),
            admin = admin_addr.map(|addr| tracing::field::display(format!("http://{addr}"))),
            workers = self.workers,
            "listening on http://{addr}"
        );
        Ok(RunningGateway {
            gateway: self.gateway,
            server,
            plan: self.plan,
            addr,
            operations_addr,
            admin_addr,
            serving: Some(serving),
            operating,
            administering,
        })
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
