//! A service that has started.

use std::{io, net::SocketAddr};

use super::{HostError, HostInfo, run};
use crate::{
    health::Health,
    metrics::Metrics,
    server::{Drain, DrainPlan, Phase, Served, Server},
    task::Task,
};

/// A service that serves; made by [`ServiceHostBuilder::start`](super::ServiceHostBuilder::start).
///
/// Dropping it cuts the service off without a drain.
#[derive(Debug)]
#[must_use = "dropping it cuts the service off"]
pub struct RunningHost {
    pub(super) info: HostInfo,
    pub(super) server: Server,
    pub(super) plan: DrainPlan,
    pub(super) on_drain: Vec<super::hooks::Hook>,
    pub(super) serving: Option<Task<io::Result<Served>>>,
}

impl RunningHost {
    /// What its hooks know of it.
    #[must_use]
    pub const fn info(&self) -> &HostInfo {
        &self.info
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.info.addr()
    }

    /// Its health.
    #[must_use]
    pub fn health(&self) -> &Health {
        self.info.health()
    }

    /// Its metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.info.metrics()
    }

    /// What leads it to its end; for those who stop it in their own way.
    #[must_use]
    pub const fn drain(&self) -> &Drain {
        self.server.drain()
    }

    /// Waits until the server ends by itself, which it does only when it fails; [`stop`](Self::stop) then
    /// tells why.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    pub async fn finished(&mut self) {
        run::until_finished(&mut self.serving).await;
    }

    /// Ends it as SIGTERM would: readiness, hooks, drain.
    ///
    /// # Errors
    ///
    /// [`HostError::Server`] when the server had failed before.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cuts the service off.
    pub async fn stop(mut self) -> Result<Served, HostError> {
        run::drain(&mut self).await;
        self.ended().await
    }

    /// Waits for the end of the server.
    pub(super) async fn ended(&mut self) -> Result<Served, HostError> {
        let Some(serving) = self.serving.take() else {
            return Ok(Served::default());
        };
        serving
            .join()
            .await
            .unwrap_or_else(|| Err(io::Error::other("the server's task panicked")))
            .map_err(HostError::Server)
    }
}

impl Drop for RunningHost {
    fn drop(&mut self) {
        self.server.drain().advance(Phase::Cut);
    }
}
