//! All services of the shop in this process: the same code, tasks instead of processes.
//!
//! For a debugger, and for systems where processes are dear. Nothing is started again here: a service that
//! ends by itself ends the shop.

use std::net::SocketAddr;

use msf_core::{BoxError, clock, task, task::Task};

use crate::{
    paths::DataDir,
    ready::Ready,
    service::{self, Service},
    settings::{Kind, STOP_ORDER, ServiceSettings, Slot},
};

/// The services of a shop. Dropping it cuts them off.
#[must_use = "dropping it cuts the shop off"]
pub(crate) struct InProcess {
    services: Vec<(Kind, Service)>,
}

impl InProcess {
    /// Starts all services and waits until they are ready.
    pub(crate) async fn start(data: &DataDir, port: u16) -> Result<Self, BoxError> {
        let mut shop = Self {
            services: Vec::new(),
        };
        let (first, rest): (Vec<_>, Vec<_>) = Slot::all()
            .into_iter()
            .partition(|slot| slot.kind == Kind::Registry);
        for slots in [first, rest] {
            let registry = shop.services.first().map(|(_, service)| service.ready.addr);
            let starting: Vec<_> = slots
                .into_iter()
                .map(|slot| (slot.kind, spawn(slot, data, port, registry)))
                .collect();
            for (kind, started) in starting {
                let started = started.join().await;
                let service = started.ok_or("a service panicked while it started")??;
                shop.services.push((kind, service));
            }
        }
        Ok(shop)
    }

    /// The services, all of them ready.
    pub(crate) fn ready(&self) -> Vec<Ready> {
        let services = self.services.iter();
        services.map(|(_, service)| service.ready.clone()).collect()
    }

    /// Waits until a service ends by itself, which it does only when it fails, and names it. Cancel safe.
    pub(crate) async fn finished(&mut self) -> String {
        let services = self.services.iter_mut();
        service::first(services.map(|(_, service)| async {
            service.finished().await;
            service.ready.instance.clone()
        }))
        .await
    }

    /// Ends all services in order.
    pub(crate) async fn stop(mut self) {
        for kinds in STOP_ORDER {
            let (now, later) = self
                .services
                .into_iter()
                .partition::<Vec<_>, _>(|(kind, _)| kinds.contains(kind));
            self.services = later;
            let stopping: Vec<_> = now
                .into_iter()
                .map(|(_, service)| task::spawn("stop", service.stop()))
                .collect();
            for stopped in stopping {
                if let Some(Err(error)) = stopped.join().await {
                    tracing::warn!(error = &*error, "a service ended with an error");
                }
            }
        }
    }
}

fn spawn(
    slot: Slot,
    data: &DataDir,
    port: u16,
    registry: Option<SocketAddr>,
) -> Task<Result<Service, BoxError>> {
    let settings = ServiceSettings {
        port: if slot.kind == Kind::Gateway { port } else { 0 },
        slot,
        data: data.clone(),
        registry,
    };
    task::spawn("start", async move {
        service::start(&settings, clock::now()).await
    })
}
