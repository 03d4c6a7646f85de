//! A service that serves.

use std::{future::poll_fn, net::SocketAddr, task::Poll};

use msf_core::{BoxError, host::RunningHost, task::Task};
use msf_gateway::RunningGateway;
use msf_registry::{Registration, health::HealthChecks};
use tokio::{
    select,
    time::{Instant, timeout},
};

use crate::{
    ready::{Event, Ready},
    settings::{LEAVE_MAX, ServiceSettings},
};

/// A service that is ready. Dropping it cuts it off.
#[must_use = "dropping it cuts the service off"]
pub(crate) struct Service {
    pub(crate) ready: Ready,
    server: Server,
    registration: Option<Registration>,
    /// Dropped after the last request.
    background: Background,
}

/// What serves.
#[expect(clippy::large_enum_variant, reason = "a process has one of them")]
pub(super) enum Server {
    Gateway(RunningGateway),
    Host(RunningHost),
}

/// What a service does between requests.
pub(super) enum Background {
    Checks { _checks: HealthChecks },
    None,
    Tasks(Vec<Task<()>>),
}

impl Server {
    pub(super) fn addr(&self) -> SocketAddr {
        match self {
            Self::Gateway(gateway) => gateway.addr(),
            Self::Host(host) => host.addr(),
        }
    }

    async fn finished(&mut self) {
        match self {
            Self::Gateway(gateway) => gateway.finished().await,
            Self::Host(host) => host.finished().await,
        }
    }
}

impl Background {
    async fn finished(&mut self) {
        match self {
            Self::Checks { .. } | Self::None => std::future::pending().await,
            Self::Tasks(tasks) => first(tasks.iter_mut().map(Task::finished)).await,
        }
    }
}

/// Waits for the first of some futures, for ever if there are none.
pub(crate) async fn first<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> T {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    poll_fn(|cx| {
        let mut polled = futures.iter_mut().map(|future| future.as_mut().poll(cx));
        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
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
            background,
        }
    }

    /// Adds a word for the terminal.
    pub(super) fn note(mut self, note: String) -> Self {
        self.ready.note = Some(note);
        self
    }

    /// Waits until the server or its work in the background ends by itself, which either does only when it
    /// fails. Cancel safe.
    pub(crate) async fn finished(&mut self) {
        select! {
            () = self.server.finished() => {}
            () = self.background.finished() => {}
        }
    }

    /// Ends it in order: out of the registry, serving on until callers have heard, then the requests in flight, then
    /// the rest.
    pub(crate) async fn stop(self) -> Result<(), BoxError> {
        if let Some(registration) = self.registration {
            match timeout(LEAVE_MAX, registration.drain()).await {
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

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use msf_core::{clock, server::Phase, task};

    use super::{super::wiring, *};
    use crate::{paths::DataDir, settings::Slot};

    async fn service(background: Task<()>) -> Service {
        let settings = ServiceSettings {
            slot: Slot::all().remove(0),
            data: DataDir::joined(std::env::temp_dir(), false),
            port: 0,
            registry: None,
        };
        let host = wiring::host(&settings).start().await.unwrap();
        let background = Background::Tasks(vec![background]);
        Service::new(
            &settings,
            clock::now(),
            Server::Host(host),
            None,
            background,
        )
    }

    async fn is_over(service: &mut Service, within: Duration) -> bool {
        timeout(within, service.finished()).await.is_ok()
    }

    const MOMENT: Duration = Duration::from_millis(50);
    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_service_is_over_when_its_server_is() {
        let mut service = service(task::spawn("work", pending())).await;
        assert!(!is_over(&mut service, MOMENT).await);
        let Server::Host(host) = &service.server else {
            unreachable!("it was made of a host");
        };
        host.drain().advance(Phase::Cut);
        assert!(is_over(&mut service, PATIENCE).await);
    }

    #[tokio::test]
    async fn a_service_is_over_when_its_work_is() {
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let work = task::spawn("work", async move {
            let _ended = ended.await;
        });
        let mut service = service(work).await;
        assert!(!is_over(&mut service, MOMENT).await);
        drop(end);
        assert!(is_over(&mut service, PATIENCE).await);
        service.stop().await.unwrap();
    }
}
