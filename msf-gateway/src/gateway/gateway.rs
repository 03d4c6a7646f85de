//! [`Gateway`].

use std::{fmt, net::SocketAddr, sync::Arc};

use msf_client::{Client, transport::Connections};
use msf_core::{
    health::Health,
    metrics::{HttpMetricsLayer, Metrics},
    trace::TraceLayer,
};

use super::{builder::GatewayBuilder, error::GatewayErrors};
use crate::{
    listener::GatewayListener,
    live::{Live, Revision, Slot},
    pipeline::Shared,
    server::GatewayServer,
    service::GatewayService,
};

/// A gateway whose routes were checked. Clones share everything.
///
/// See the [crate documentation](crate) for an example.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) live: Arc<Live>,
    pub(crate) trace: TraceLayer,
    pub(crate) metrics_layer: HttpMetricsLayer,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
}

impl Gateway {
    /// Begins a gateway that calls services through this client.
    pub fn builder(client: Client) -> GatewayBuilder {
        GatewayBuilder::new(client)
    }

    /// Serves at an address, sharded over the cores; nothing is bound yet.
    pub fn server(self, addr: SocketAddr) -> GatewayServer {
        GatewayServer::at(self, GatewayListener::new(addr))
    }

    /// Serves at a listener that is said in full.
    pub fn serve_at(self, listener: GatewayListener) -> GatewayServer {
        GatewayServer::at(self, listener)
    }

    /// The gateway as a tower service on the current runtime, over the client's own connections. It traces,
    /// logs and counts its requests itself.
    ///
    /// The gateway counts as ready from now on; whoever embeds it ends it with
    /// [`health().set_draining()`](Self::health).
    #[must_use]
    pub fn into_service(self) -> GatewayService {
        self.health.set_ready();
        GatewayService::new(Slot::observed(&self, None))
    }

    /// As [`into_service`](Self::into_service), for a place that traces and counts requests already, such as
    /// `ServiceHost`: the template of the route is left in the extensions of the response.
    #[must_use]
    pub fn into_unobserved_service(self) -> GatewayService {
        self.health.set_ready();
        GatewayService::new(Slot::bare(&self))
    }

    /// Replaces routes, policies and clusters while the gateway serves, in all its clones, services and workers at
    /// once: the next request of every client sees the new ones. Requests in flight end as they began, no connection
    /// is closed, and clusters that are defined as before keep their breakers and what was learnt of their instances.
    ///
    /// The metrics, the trace layer and whoever listens stay as they are, whatever the builder says.
    ///
    /// ```
    /// # use msf_client::Client;
    /// # use msf_registry::{Registry, backend::memory::MemoryRegistry};
    /// use msf_gateway::{Gateway, Route};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Client::builder(Registry::new(MemoryRegistry::new())).build()?;
    /// let gateway = Gateway::builder(client.clone())
    ///     .route(Route::prefix("/api").to("order").public())
    ///     .build()?;
    /// let before = gateway.revision();
    ///
    /// let next = Gateway::builder(client).route(Route::prefix("/api/v2").to("order").public());
    /// assert!(gateway.apply(next)? > before);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`GatewayErrors`] with all that is wrong; the gateway goes on as before.
    ///
    /// # Panics
    ///
    /// As [`GatewayBuilder::build`].
    pub fn apply(&self, next: GatewayBuilder) -> Result<Revision, GatewayErrors> {
        let next = next.build_after(Some(self))?.shared();
        let before = self.live.current();
        let revision = self.live.replace(Arc::clone(&next));
        for (name, running) in &before.clusters {
            let is_kept = next.clusters.get(name);
            if !is_kept.is_some_and(|kept| Arc::ptr_eq(kept, running)) {
                running.retire();
            }
        }
        Ok(revision)
    }

    /// Which configuration it runs on.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.live.revision()
    }

    /// What it runs on now.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.live.current()
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
        GatewayService::new(Slot::observed(self, Some(connections)))
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("revision", &self.revision())
            .field("clusters", &self.shared().clusters.keys())
            .field("status", &self.health.status())
            .finish_non_exhaustive()
    }
}
