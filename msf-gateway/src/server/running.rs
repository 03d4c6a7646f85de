//! A gateway that serves.

use std::{fmt, io, net::SocketAddr, time::Duration};

use msf_core::{
    server::{Drain, DrainPlan, Phase, Served, Server},
    task::Task,
};
use tokio::select;

use super::config::{StartError, TARGET};
use crate::gateway::Gateway;

/// A gateway that serves; made by [`GatewayServer::start`](super::GatewayServer::start).
///
/// Dropping it cuts the gateway off without a drain.
#[must_use = "dropping it cuts the gateway off"]
pub struct RunningGateway {
    pub(super) gateway: Gateway,
    pub(super) server: Server,
    pub(super) plan: DrainPlan,
    pub(super) addrs: Vec<SocketAddr>,
    /// Of the files of certificates.
    #[cfg(feature = "tls")]
    pub(super) _watches: Vec<Task<()>>,
    pub(super) operations_addr: Option<SocketAddr>,
    pub(super) admin_addr: Option<SocketAddr>,
    pub(super) serving: Option<Task<io::Result<Served>>>,
    pub(super) operating: Option<Task<io::Result<Served>>>,
    pub(super) administering: Option<Task<io::Result<Served>>>,
}

impl RunningGateway {
    /// Where the world finds it, with the port that the system chose.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        // The first address cannot be left out.
        self.addrs[0]
    }

    /// All addresses, by the [places](crate::listener) of their listeners.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Where its operators find it.
    #[must_use]
    pub const fn operations_addr(&self) -> Option<SocketAddr> {
        self.operations_addr
    }

    /// Where the [admin listener](crate::admin) is.
    #[must_use]
    pub const fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin_addr
    }

    /// The gateway.
    #[must_use]
    pub const fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// What leads it to its end; for those who stop it in their own way.
    #[must_use]
    pub const fn drain(&self) -> &Drain {
        self.server.drain()
    }

    /// Client connections that are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Waits until the server ends by itself, which it does only when it fails.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    pub async fn finished(&mut self) {
        match &mut self.serving {
            Some(serving) => serving.finished().await,
            None => std::future::pending().await,
        }
    }

    /// Ends it: readiness fails, requests in flight are finished, and what is late is cut.
    ///
    /// # Errors
    ///
    /// [`StartError::Serve`] when the server had failed before.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cuts the gateway off.
    pub async fn stop(mut self) -> Result<Served, StartError> {
        self.gateway.health().set_draining();
        tracing::info!(
            target: TARGET,
            delay = ?self.plan.delay(),
            timeout = ?self.plan.timeout(),
            "draining"
        );
        let drain = self.server.drain().clone();
        let plan = self.plan;
        select! {
            biased;
            () = self.finished() => {}
            () = drain.run(plan) => {}
        }
        let Some(serving) = self.serving.take() else {
            return Ok(Served::default());
        };
        let served = serving.join().await;
        let served = served.unwrap_or_else(|| Err(io::Error::other("the server's task panicked")));
        if let Some(log) = &self.gateway.shared().access_log {
            log.flush(LOG_FLUSH_MAX).await;
        }
        // Last, so that the end can be watched.
        drop((self.operating.take(), self.administering.take()));
        let served = served.map_err(StartError::Serve)?;
        tracing::info!(target: TARGET, connections_cut = served.cut, "drained");
        Ok(served)
    }
}

/// A log that cannot be written must not keep a process alive.
const LOG_FLUSH_MAX: Duration = Duration::from_secs(1);

impl Drop for RunningGateway {
    fn drop(&mut self) {
        self.server.drain().advance(Phase::Cut);
    }
}

impl fmt::Debug for RunningGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningGateway")
            .field("addrs", &self.addrs)
            .field("operations_addr", &self.operations_addr)
            .field("phase", &self.server.drain().phase())
            .finish_non_exhaustive()
    }
}
