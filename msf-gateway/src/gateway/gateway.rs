//! [`Gateway`].

use std::{fmt, net::SocketAddr, sync::Arc};

use msf_client::{Client, transport::Connections};
use msf_core::{
    health::Health,
    metrics::{HttpMetricsLayer, Metrics},
    trace::TraceLayer,
};

use super::builder::GatewayBuilder;
use crate::{
    pipeline::{Shared, Worker},
    server::GatewayServer,
    service::GatewayService,
};

/// A gateway whose routes were checked. Clones share everything.
///
/// See the [crate documentation](crate) for an example.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) shared: Arc<Shared>,
    pub(crate) trace: TraceLayer,
    pub(crate) metrics_layer: HttpMetricsLayer,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) body_limit_max: usize,
}

impl Gateway {
    /// Begins a gateway that calls services through this client.
    pub fn builder(client: Client) -> GatewayBuilder {
        GatewayBuilder::new(client)
    }

    /// Serves at an address, sharded over the cores; nothing is bound yet.
    pub fn server(self, addr: SocketAddr) -> GatewayServer {
        GatewayServer::new(self, addr)
    }

    /// The gateway as a tower service on the current runtime, over the client's own connections. It traces,
    /// logs and counts its requests itself.
    ///
    /// The gateway counts as ready from now on; whoever embeds it ends it with
    /// [`health().set_draining()`](Self::health).
    #[must_use]
    pub fn into_service(self) -> GatewayService {
        self.health.set_ready();
        let worker = Worker::new(&self.shared, &self.shared.client);
        GatewayService::observed(worker, self.trace, &self.metrics_layer)
    }

    /// As [`into_service`](Self::into_service), for a place that traces and counts requests already, such as
    /// `ServiceHost`: the template of the route is left in the extensions of the response.
    #[must_use]
    pub fn into_unobserved_service(self) -> GatewayService {
        self.health.set_ready();
        GatewayService::bare(Worker::new(&self.shared, &self.shared.client))
    }

    /// Whether the gateway takes traffic, as `/readyz` tells it.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// The metrics in which it counts.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The service of one worker thread, over connections that no other thread uses.
    pub(crate) fn worker(&self, connections: Connections) -> GatewayService {
        let client = self.shared.client.with_connections(connections);
        let worker = Worker::new(&self.shared, &client);
        GatewayService::observed(worker, self.trace, &self.metrics_layer)
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("services", &self.shared.services)
            .field("status", &self.health.status())
            .finish_non_exhaustive()
    }
}
