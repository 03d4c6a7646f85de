//! What runs when a service starts and when it begins to end.

use std::{fmt, future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use crate::{
    BoxError,
    health::Health,
    metrics::Metrics,
    name::{InstanceId, ServiceName},
    problem::Caught,
    server::DrainSignal,
    telemetry::LevelHandle,
};

/// What a hook may know of the service that it belongs to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HostInfo {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) service: ServiceName,
    pub(super) instance: InstanceId,
    pub(super) version: String,
    pub(super) addr: SocketAddr,
    pub(super) health: Health,
    pub(super) metrics: Metrics,
    pub(super) drain: DrainSignal,
    pub(super) log_level: Option<LevelHandle>,
}

impl HostInfo {
    pub(super) fn new(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The service's name.
    #[must_use]
    pub fn service(&self) -> &ServiceName {
        &self.shared.service
    }

    /// This instance of it.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.shared.instance
    }

    /// The version that was given to the builder; empty if none was.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.shared.version
    }

    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.shared.addr
    }

    /// Its health.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.shared.health
    }

    /// Its metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Reads and changes the log level; `None` when `run` did not set up the logs of this process.
    #[must_use]
    pub fn log_level(&self) -> Option<&LevelHandle> {
        self.shared.log_level.as_ref()
    }

    /// Tells when it begins to end.
    #[must_use]
    pub fn drain(&self) -> &DrainSignal {
        &self.shared.drain
    }
}

type HookFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A hook of any shape, boxed: it runs once in the life of a process.
pub(super) struct Hook(Box<dyn FnOnce(HostInfo) -> HookFuture + Send>);

impl Hook {
    pub(super) fn new<F, R, E>(hook: F) -> Self
    where
        F: FnOnce(HostInfo) -> R + Send + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(Box::new(move |info| {
            let hook = hook(info);
            Box::pin(async move { hook.await.map_err(Into::into) })
        }))
    }

    /// Runs it; its panic is an error like any other, so that it takes nothing else with it.
    pub(super) async fn run(self, info: HostInfo) -> Result<(), BoxError> {
        Caught::new(async { (self.0)(info).await }).await?
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
