//! Starts the services of the shop as processes, keeps them running and ends them in order.
//!
//! The registry comes first, since the others register with it; the others start side by side. A process
//! that dies is started again ([`restart`]); registry and gateway come back on the port they had. In the end the
//! gateway goes first and the registry last, so that every request in flight still finds what it needs.
//!
//! A child lives as long as its standard input is open. The shop holds the other end, so that no child
//! outlives it, however it dies.

mod child;
mod event;
mod keeper;
mod log;
mod restart;

use std::net::SocketAddr;

use msf_core::{
    name::InstanceId,
    task::{self, Task},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use self::{
    child::Child,
    keeper::{Keeper, Order, State},
};
pub(crate) use self::{child::NotReady, event::Event};
use crate::{
    paths::DataDir,
    ready::Ready,
    settings::{Kind, STOP_ORDER, ServiceSettings, Slot},
};

/// The processes of a shop. Dropping it kills them.
#[derive(Debug)]
#[must_use = "dropping it kills the shop"]
pub(crate) struct Supervisor {
    kept: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    slot: Slot,
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<State>,
    keeper: Task<()>,
}

/// A shop that could not start. What had been started is stopped.
#[derive(Debug, thiserror::Error)]
#[error("{instance} {source}. Its last words:\n{log}")]
pub(crate) struct StartError {
    instance: InstanceId,
    log: String,
    source: NotReady,
}

impl Supervisor {
    /// Starts all services and waits until they are ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills what was started.
    pub(crate) async fn start(
        data: &DataDir,
        port: u16,
        events: &mpsc::UnboundedSender<Event>,
    ) -> Result<Self, StartError> {
        let mut shop = Self { kept: Vec::new() };
        let mut registry = None;
        let (first, rest): (Vec<_>, Vec<_>) = Slot::all()
            .into_iter()
            .partition(|slot| slot.kind == Kind::Registry);
        for slots in [first, rest] {
            let mut starting = spawn(slots, data, port, registry);
            // The first that fails ends the start: others may be waiting for it.
            while let Some(started) = starting.join_next().await {
                let Ok((settings, outcome)) = started else {
                    continue;
                };
                match outcome {
                    Ok((child, ready)) => {
                        if settings.slot.kind == Kind::Registry {
                            registry = Some(ready.addr);
                        }
                        shop.kept.push(keep(settings, child, ready, events.clone()));
                    }
                    Err(source) => {
                        drop(starting);
                        shop.stop().await;
                        return Err(StartError {
                            log: log::tail(&data.log(settings.slot.instance.as_str())),
                            instance: settings.slot.instance,
                            source,
                        });
                    }
                }
            }
        }
        Ok(shop)
    }

    /// What is ready now.
    ///
    /// Sorted by instance.
    pub(crate) fn ready(&self) -> Vec<Ready> {
        let states = self.kept.iter().map(|kept| kept.state.borrow().clone());
        let mut ready: Vec<Ready> = states.flatten().collect();
        ready.sort_by(|a, b| a.instance.cmp(&b.instance));
        ready
    }

    /// Kills the process of an instance, as `kill -9` would; it is started again.
    pub(crate) async fn kill(&self, instance: &str) {
        self.order(instance, Order::Kill).await;
    }

    /// Kills the process of an instance and leaves it down.
    pub(crate) async fn hold(&self, instance: &str) {
        self.order(instance, Order::Hold).await;
    }

    /// Starts again what is held down.
    pub(crate) async fn resume(&self, instance: &str) {
        self.order(instance, Order::Resume).await;
    }

    /// Waits until an instance is ready with another process than `pid`.
    pub(crate) async fn back(&self, instance: &str, pid: u32) -> Option<Ready> {
        let kept = self.find(instance)?;
        let mut state = kept.state.clone();
        let other = |state: &State| state.as_ref().is_some_and(|ready| ready.pid != pid);
        state.wait_for(other).await.ok()?.clone()
    }

    /// Ends all services in order, each in its time.
    pub(crate) async fn stop(mut self) {
        for kinds in STOP_ORDER {
            let (now, later) = self
                .kept
                .into_iter()
                .partition::<Vec<_>, _>(|kept| kinds.contains(&kept.slot.kind));
            self.kept = later;
            for kept in &now {
                // A full queue would mean orders that nobody reads; closing it says the same.
                let _gone = kept.orders.try_send(Order::Stop);
            }
            for kept in now {
                drop(kept.orders);
                kept.keeper.join().await;
            }
        }
    }

    async fn order(&self, instance: &str, order: Order) {
        if let Some(kept) = self.find(instance) {
            let _gone = kept.orders.send(order).await;
        }
    }

    fn find(&self, instance: &str) -> Option<&Kept> {
        self.kept
            .iter()
            .find(|kept| kept.slot.instance == *instance)
    }
}

type Started = (ServiceSettings, Result<(Child, Ready), NotReady>);

/// Starts services side by side.
fn spawn(
    slots: Vec<Slot>,
    data: &DataDir,
    port: u16,
    registry: Option<SocketAddr>,
) -> JoinSet<Started> {
    let mut starting = JoinSet::new();
    for slot in slots {
        let settings = ServiceSettings {
            port: if slot.kind == Kind::Gateway { port } else { 0 },
            slot,
            data: data.clone(),
            registry,
        };
        // All are spawned before the first is waited for.
        let child = Child::spawn(&settings);
        starting.spawn(async move {
            let outcome = match child {
                Ok(mut child) => child.ready().await.map(|ready| (child, ready)),
                Err(error) => Err(error.into()),
            };
            (settings, outcome)
        });
    }
    starting
}

fn keep(
    settings: ServiceSettings,
    child: Child,
    ready: Ready,
    events: mpsc::UnboundedSender<Event>,
) -> Kept {
    let (orders, orders_received) = mpsc::channel(ORDERS_MAX);
    let (state_sent, state) = watch::channel(Some(ready.clone()));
    let slot = settings.slot.clone();
    let keeper = Keeper {
        settings,
        orders: orders_received,
        state: state_sent,
        events,
    };
    Kept {
        slot,
        orders,
        state,
        keeper: task::spawn("keeper", keeper.run(child, ready)),
    }
}

const ORDERS_MAX: usize = 8;
