//! The task that keeps one service running.

use msf_core::{clock, name::InstanceId};
use tokio::{
    select,
    sync::{mpsc, watch},
    time::{self, Instant},
};

use super::{
    child::{Child, NotReady},
    event::Event,
    log,
    restart::Restarts,
};
use crate::{ready::Ready, settings::ServiceSettings};

/// What a keeper is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Kill the process; it is started again.
    Kill,
    /// Kill the process and leave it down until `Resume`.
    Hold,
    Resume,
    /// End the process in order, and the keeper with it.
    Stop,
}

/// What a keeper says: the process that is ready now, if one is.
pub(super) type State = Option<Ready>;

/// Keeps one service running until it is told to stop.
pub(super) struct Keeper {
    pub(super) settings: ServiceSettings,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) state: watch::Sender<State>,
    pub(super) events: mpsc::UnboundedSender<Event>,
}

/// How the life of a process ended.
enum Ended {
    Died(String),
    Held,
    Stopped,
}

impl Keeper {
    /// Goes on from a process that has just become ready.
    pub(super) async fn run(mut self, child: Child, ready: Ready) {
        let mut restarts = Restarts::default();
        let mut current = self.welcome(child, ready);
        loop {
            let (child, ready_at) = current;
            let ended = self.watch(child).await;
            let died_at = clock::now();
            self.state.send_replace(None);
            let again_at = match ended {
                Ended::Stopped => return,
                Ended::Held => None,
                Ended::Died(cause) => Some(self.mourn(&mut restarts, cause, Some(ready_at))),
            };
            let Some(next) = self.revive(&mut restarts, died_at, again_at).await else {
                return;
            };
            current = next;
        }
    }

    fn welcome(&mut self, child: Child, ready: Ready) -> (Child, Instant) {
        if self.settings.slot.kind.keeps_port() {
            self.settings.port = ready.addr.port();
        }
        self.state.send_replace(Some(ready));
        (child, clock::now())
    }

    /// Watches a process that is ready, to its end.
    async fn watch(&mut self, mut child: Child) -> Ended {
        loop {
            select! {
                status = child.ended() => {
                    return Ended::Died(status.map_or_else(|e| e.to_string(), |s| s.to_string()));
                }
                order = self.orders.recv() => match order {
                    Some(Order::Kill) => child.kill(),
                    Some(Order::Hold) => {
                        child.kill();
                        let _reaped = child.ended().await;
                        self.say(Event::Held { instance: self.instance() });
                        return Ended::Held;
                    }
                    Some(Order::Resume) => {}
                    Some(Order::Stop) | None => {
                        if !child.stop().await {
                            self.say(Event::Cut { instance: self.instance() });
                        }
                        return Ended::Stopped;
                    }
                },
            }
        }
    }

    /// Tells of a death, and when the next try is due.
    fn mourn(&self, restarts: &mut Restarts, cause: String, ready_at: Option<Instant>) -> Instant {
        let now = clock::now();
        let restart = restarts.died(now, ready_at);
        let instance = self.instance();
        if let Some((deaths, within)) = restart.crash_loop {
            let log = log::tail(&self.settings.data.log(instance.as_str()));
            self.say(Event::CrashLoop {
                instance: instance.clone(),
                deaths,
                within,
                log,
            });
        }
        self.say(Event::Died {
            instance,
            cause,
            restart_after: restart.after,
        });
        now + restart.after
    }

    /// Starts the service again, as often as it takes; `None` when it is told to stop.
    async fn revive(
        &mut self,
        restarts: &mut Restarts,
        died_at: Instant,
        mut again_at: Option<Instant>,
    ) -> Option<(Child, Instant)> {
        loop {
            self.wait(again_at).await?;
            let started = self.attempt().await?;
            match started {
                Ok((child, ready)) => {
                    self.say(Event::Back {
                        ready: ready.clone(),
                        away: died_at.elapsed(),
                    });
                    return Some(self.welcome(child, ready));
                }
                Err(error) => again_at = Some(self.mourn(restarts, error.to_string(), None)),
            }
        }
    }

    /// Waits until the next try is due, or for `Resume` if none is; `None` when it is told to stop.
    async fn wait(&mut self, mut again_at: Option<Instant>) -> Option<()> {
        loop {
            let due = async {
                match again_at {
                    Some(at) => time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            select! {
                () = due => return Some(()),
                order = self.orders.recv() => match order {
                    Some(Order::Resume) => return Some(()),
                    Some(Order::Hold) => again_at = None,
                    Some(Order::Kill) => {}
                    Some(Order::Stop) | None => return None,
                },
            }
        }
    }

    /// One start; `None` when it is told to stop meanwhile.
    async fn attempt(&mut self) -> Option<Result<(Child, Ready), NotReady>> {
        let mut child = match Child::spawn(&self.settings) {
            Ok(child) => child,
            Err(error) => return Some(Err(error.into())),
        };
        loop {
            select! {
                ready = child.ready() => return Some(ready.map(|ready| (child, ready))),
                order = self.orders.recv() => match order {
                    Some(Order::Kill | Order::Hold) => child.kill(),
                    Some(Order::Resume) => {}
                    Some(Order::Stop) | None => {
                        child.stop().await;
                        return None;
                    }
                },
            }
        }
    }

    fn instance(&self) -> InstanceId {
        self.settings.slot.instance.clone()
    }

    fn say(&self, event: Event) {
        // Whoever listened has gone; the service is kept all the same.
        let _unheard = self.events.send(event);
    }
}
