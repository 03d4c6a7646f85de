//! The other services without a network: their real stores, and a network that can be told to fail.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use msf_core::clock::WallClock;
use tokio::sync::Notify;

use super::super::ports::{Charge, ChargeOrder, Inventory, Payments, Reserve, Settled, Unknown};
use crate::{
    db::{Db, DbError},
    ids::OrderId,
    inventory::{
        self,
        domain::{Committed, Line, Released, Reserved},
    },
    paths::DataDir,
    payment::{
        self,
        domain::{Charged, Status},
    },
    timestamp::Timestamp,
};

/// What the network does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The request does not arrive.
    LostRequest,
    /// The request is carried out and its answer does not arrive.
    LostAnswer,
    /// The caller dies before the request is sent.
    CrashBefore,
    /// The caller dies when the request was carried out.
    CrashAfter,
}

/// Inventory and payments behind one network.
#[derive(Clone)]
pub(crate) struct Others {
    inventory: Db,
    payments: Db,
    network: Arc<Network>,
}

#[derive(Default)]
struct Network {
    calls: AtomicUsize,
    /// Faults by the number of the call, from 0.
    faults: Mutex<Vec<(usize, Fault)>>,
    /// Every call fails from the first of this number on.
    down_from: AtomicUsize,
    crashed: Notify,
}

impl Others {
    pub(crate) async fn open(data: &DataDir) -> Self {
        let inventory = Db::open(data.database("inventory"), inventory::store::MIGRATIONS);
        let inventory = inventory.await.unwrap();
        inventory.write(inventory::store::seed).await.unwrap();
        let payments = Db::open(data.database("payments"), payment::store::MIGRATIONS);
        // The audit reads all four.
        Db::open(data.database("users"), crate::user::store::MIGRATIONS)
            .await
            .unwrap();
        let network = Network {
            down_from: AtomicUsize::new(usize::MAX),
            ..Network::default()
        };
        Self {
            inventory,
            payments: payments.await.unwrap(),
            network: Arc::new(network),
        }
    }

    /// Lets calls fail, by their number.
    pub(crate) fn with_faults(self, faults: impl IntoIterator<Item = (usize, Fault)>) -> Self {
        self.network
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(faults);
        self
    }

    /// From now on no request arrives, or all do again.
    pub(crate) fn set_down(&self, is_down: bool) {
        let from = if is_down { 0 } else { usize::MAX };
        self.network.down_from.store(from, Ordering::SeqCst);
    }

    /// Calls that were made.
    pub(crate) fn calls(&self) -> usize {
        self.network.calls.load(Ordering::SeqCst)
    }

    /// Returns when the caller should die.
    pub(crate) async fn crash(&self) {
        self.network.crashed.notified().await;
    }

    async fn call<T>(&self, work: impl Future<Output = Result<T, DbError>>) -> Result<T, Unknown> {
        let lost = || Err(Unknown("the network".to_owned()));
        let number = self.network.calls.fetch_add(1, Ordering::SeqCst);
        if number >= self.network.down_from.load(Ordering::SeqCst) {
            return lost();
        }
        let fault = {
            let faults = self.network.faults.lock();
            let faults = faults.unwrap_or_else(PoisonError::into_inner);
            faults.iter().find(|(at, _)| *at == number).map(|it| it.1)
        };
        match fault {
            Some(Fault::LostRequest) => return lost(),
            Some(Fault::CrashBefore) => self.die().await,
            _ => {}
        }
        let answer = work.await.map_err(|error| Unknown(error.to_string()));
        match fault {
            Some(Fault::LostAnswer) => lost(),
            Some(Fault::CrashAfter) => {
                self.die().await;
                answer
            }
            _ => answer,
        }
    }

    async fn die(&self) {
        self.network.crashed.notify_one();
        std::future::pending::<()>().await;
    }
}

fn now() -> Timestamp {
    Timestamp::now(WallClock::system())
}

#[async_trait]
impl Inventory for Others {
    async fn reserve(&self, order: OrderId, lines: &[Line]) -> Result<Reserve, Unknown> {
        let lines = lines.to_vec();
        let work = self
            .inventory
            .write(move |tx| inventory::store::reserve(tx, order, &lines, now()));
        Ok(match self.call(work).await? {
            Reserved::Held(lines) => Reserve::Held(lines),
            Reserved::Short(shortages) => Reserve::Short(shortages),
            Reserved::CalledOff => Reserve::CalledOff,
            Reserved::Mismatch => return Err(Unknown("mismatch".to_owned())),
        })
    }

    async fn commit(&self, order: OrderId) -> Result<Settled, Unknown> {
        let work = self
            .inventory
            .write(move |tx| inventory::store::commit(tx, order, now()));
        Ok(match self.call(work).await? {
            Committed::Done => Settled::Done,
            Committed::NotReserved => Settled::Contradiction,
        })
    }

    async fn release(&self, order: OrderId) -> Result<Settled, Unknown> {
        let work = self
            .inventory
            .write(move |tx| inventory::store::release(tx, order, now()));
        Ok(match self.call(work).await? {
            Released::Done => Settled::Done,
            Released::Committed => Settled::Contradiction,
        })
    }
}

#[async_trait]
impl Payments for Others {
    async fn charge(&self, charge: &ChargeOrder) -> Result<Charge, Unknown> {
        let accepted = charge.card.verdict().accepted;
        let stored = payment::domain::Charge {
            order_id: charge.order_id,
            customer_id: charge.customer_id,
            amount: charge.amount,
            payment_method: charge.payment_method.clone(),
            card: charge.card.card(),
        };
        let work = self
            .payments
            .write(move |tx| payment::store::charge(tx, &stored, accepted, now()));
        Ok(match self.call(work).await? {
            Charged::New { payment_id, status } | Charged::Before { payment_id, status } => {
                if status == Status::Charged {
                    Charge::Charged { payment_id }
                } else {
                    Charge::Declined { payment_id }
                }
            }
            Charged::CalledOff => Charge::CalledOff,
            Charged::Mismatch => return Err(Unknown("mismatch".to_owned())),
        })
    }

    async fn refund(&self, order: OrderId) -> Result<(), Unknown> {
        let work = self
            .payments
            .write(move |tx| payment::store::refund(tx, order, now()));
        self.call(work).await.map(|_status| ())
    }
}
