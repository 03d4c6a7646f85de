//! A service that serves.

use std::net::SocketAddr;

use msf_core::{BoxError, host::RunningHost, task::Task};
use msf_gateway::RunningGateway;
use msf_registry::{Registration, health::HealthChecks};
use tokio::time::{Instant, timeout};

use crate::{
    ready::{Event, Ready},
    settings::{DEREGISTER_MAX, ServiceSettings},
};

/// A service that is ready. Dropping it cuts it off.
#[must_use = "dropping it cuts the service off"]
pub(crate) struct Service {
    pub(crate) ready: Ready,
    server: Server,
    registration: Option<Registration>,
    /// Dropped after the last request.
    _background: Background,
}

/// What serves.
pub(super) enum Server {
    Gateway(RunningGateway),
    Host(RunningHost),
}

/// What a service does between requests.
pub(super) enum Background {
    Checks { _checks: HealthChecks },
    None,
    Tasks { _tasks: Vec<Task<()>> },
}

impl Server {
    pub(super) fn addr(&self) -> SocketAddr {
        match self {
            Self::Gateway(gateway) => gateway.addr(),
            Self::Host(host) => host.addr(),
        }
    }
}

impl Service {
    pub(super) fn new(
        settings: &ServiceSettings,
        began: Instant,
        server: Server,
        registration: Option<Registration>,
        background: Background,
    ) -> Self {
        let ready = Ready {
            event: Event::Ready,
            service: settings.slot.kind.name().to_owned(),
            instance: settings.slot.instance.to_string(),
            addr: server.addr(),
            pid: std::process::id(),
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            note: None,
        };
        Self {
            ready,
            server,
            registration,
            _background: background,
        }
    }

    /// Adds a word for the terminal.
    pub(super) fn note(mut self, note: String) -> Self {
        self.ready.note = Some(note);
        self
    }

    /// Waits until the server ends by itself, which it does only when it fails. Cancel safe.
    pub(crate) async fn finished(&mut self) {
        match &mut self.server {
            Server::Gateway(gateway) => gateway.finished().await,
            // Its failure is seen when it is stopped.
            Server::Host(_) => std::future::pending().await,
        }
    }

    /// Ends it in order: out of the registry, then the requests in flight, then the rest.
    pub(crate) async fn stop(self) -> Result<(), BoxError> {
        if let Some(registration) = self.registration {
            match timeout(DEREGISTER_MAX, registration.deregister()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the lease has to expire by itself"),
                Err(_late) => tracing::warn!("the registry is away; the lease expires by itself"),
            }
        }
        match self.server {
            Server::Gateway(gateway) => gateway.stop().await?,
            Server::Host(host) => host.stop().await?,
        };
        Ok(())
    }
}
