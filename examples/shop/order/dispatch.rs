//! Which orders are driven when, and how many at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use msf_core::clock;
use tokio::{
    sync::mpsc,
    task::{Id, JoinError, JoinSet},
    time::Instant,
};

use super::{driver::Driver, store};
use crate::{db::DbError, ids::OrderId, timestamp::Timestamp};

/// Tells the dispatcher of an order that was just created. Losing a hint costs time, never an order.
#[derive(Clone, Debug)]
pub(crate) struct Hints(mpsc::Sender<OrderId>);

/// Drives the orders that are due, some at once, each by one task.
pub(crate) struct Dispatcher {
    driver: Arc<Driver>,
    hints: mpsc::Receiver<OrderId>,
    running: JoinSet<Result<Option<Duration>, DbError>>,
    orders: HashMap<Id, OrderId>,
    sweep_at: Instant,
}

impl Hints {
    /// An order can go on now.
    pub(crate) fn send(&self, order: OrderId) {
        // When the queue is full the order is found when it is due.
        let _full = self.0.try_send(order);
    }
}

impl Dispatcher {
    /// A dispatcher, which does nothing before [`run`](Self::run).
    pub(crate) fn new(driver: Arc<Driver>) -> (Self, Hints) {
        let (sender, hints) = mpsc::channel(HINTS);
        let dispatcher = Self {
            driver,
            hints,
            running: JoinSet::new(),
            orders: HashMap::new(),
            sweep_at: clock::now(),
        };
        (dispatcher, Hints(sender))
    }

    /// Drives orders for ever. Dropping the future stops all of them, which is as safe as a crash.
    pub(crate) async fn run(mut self) {
        loop {
            let has_room = self.running.len() < AT_ONCE;
            tokio::select! {
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                Some(order) = self.hints.recv(), if has_room => self.start(order),
                () = tokio::time::sleep_until(self.sweep_at), if has_room => self.sweep().await,
            }
        }
    }

    fn start(&mut self, order: OrderId) {
        if self.orders.values().any(|running| *running == order) {
            return;
        }
        let driver = Arc::clone(&self.driver);
        let task = self.running.spawn(async move { driver.drive(order).await });
        self.orders.insert(task.id(), order);
    }

    fn ended(&mut self, ended: Result<(Id, Result<Option<Duration>, DbError>), JoinError>) {
        let (id, wait) = match ended {
            Ok((id, Ok(wait))) => (id, wait),
            Ok((id, Err(error))) => {
                tracing::warn!(%error, "an order stays where it is");
                (id, Some(SWEEP))
            }
            Err(error) => {
                tracing::error!(%error, "an order stays where it is");
                (error.id(), Some(SWEEP))
            }
        };
        self.orders.remove(&id);
        if self.running.len() + 1 == AT_ONCE {
            // There was no room: orders that are due may have been passed over.
            self.sweep_at = clock::now();
        }
        if let Some(wait) = wait {
            self.sweep_at = self.sweep_at.min(clock::now() + wait);
        }
    }

    async fn sweep(&mut self) {
        let now = Timestamp::now(self.driver.clock);
        let due = self
            .driver
            .db
            .read(move |tx| store::due(tx, now, SWEEP_MAX))
            .await;
        let next = match due {
            Ok((orders, next)) => {
                for order in orders {
                    if self.running.len() < AT_ONCE {
                        self.start(order);
                    }
                }
                next
            }
            Err(error) => {
                tracing::warn!(%error, "cannot look for orders that are due");
                None
            }
        };
        let pause = next.unwrap_or(SWEEP).clamp(SWEEP_MIN, SWEEP);
        self.sweep_at = clock::now() + pause;
    }
}

/// Orders that are driven at once: enough to keep the other services busy, few enough that their
/// connections and the database's queue have room for requests.
const AT_ONCE: usize = 64;

/// Hints that may wait.
const HINTS: usize = 1_024;

/// How often the database is asked for what is due, at least and at most.
const SWEEP: Duration = Duration::from_millis(500);
const SWEEP_MIN: Duration = Duration::from_millis(10);

/// Orders that one sweep takes; those in progress are among them.
const SWEEP_MAX: u32 = 256;
