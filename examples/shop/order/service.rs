//! What can be done with an order, by whom.

use std::{sync::Arc, time::Duration};

use msf_auth::Principal;
use msf_core::{
    clock::WallClock,
    problem::{Code, Problem},
};
use tokio::time::timeout;

use super::{
    dispatch::Hints,
    domain::{NewOrder, Order},
    driver::bound_to,
    request::ValidOrder,
    saga::{self, State},
    store::{self, Created, Facts},
    vault::Vault,
    waiters::Waiters,
};
use crate::{
    db::{Db, DbError},
    identity::{ORDERS_ADMIN, is_or_has},
    ids::{OrderId, UserId},
    timestamp::Timestamp,
};

/// Takes orders and changes them.
#[derive(Clone)]
pub(crate) struct Orders {
    pub(crate) db: Db,
    pub(crate) vault: Arc<Vault>,
    pub(crate) hints: Hints,
    pub(crate) waiters: Waiters,
    pub(crate) clock: WallClock,
    /// How long a request waits for its order to come to its end.
    pub(crate) wait: Duration,
}

impl Orders {
    /// Creates an order, or finds the one that the same request created, and waits a while for its end.
    ///
    /// # Errors
    ///
    /// `idempotency_key_reused` when another request has used the key.
    pub(crate) async fn place(
        &self,
        customer: UserId,
        key: String,
        order: ValidOrder,
    ) -> Result<Order, Problem> {
        let internal = |error| Problem::new(Code::Internal).with_source(error);
        let sealed_card = self
            .vault
            .seal(&order.card, &bound_to(customer, &key))
            .map_err(internal)?;
        let new = NewOrder {
            customer_id: customer,
            fingerprint: self.vault.fingerprint(&order.canonical()),
            lines: order.lines,
            payment_method: order.payment_method,
            sealed_card,
            idempotency_key: key,
        };
        let now = Timestamp::now(self.clock);
        let created = self
            .db
            .write::<_, DbError>(move |tx| store::create(tx, &new, now))
            .await?;
        match created {
            Created::New(order) | Created::Before(order) => self.end_of(order.id).await,
            Created::KeyReused => Err(Problem::new(Code::IdempotencyKeyReused)
                .with_detail("the key was used for another order")),
        }
    }

    /// Waits for the end of an order, and gives it as it then is. Cancel safe: the order goes on without.
    async fn end_of(&self, id: OrderId) -> Result<Order, Problem> {
        let mut waiter = self.waiters.wait_for(id);
        // Read after the waiter was set up, so that an end in between is seen here or wakes it.
        let order = self.read(id).await?;
        if order.state.is_final() {
            return Ok(order);
        }
        self.hints.send(id);
        let _in_time = timeout(self.wait, waiter.ended()).await;
        self.read(id).await
    }

    /// An order that the caller may know of.
    ///
    /// # Errors
    ///
    /// `not_found`, whether it belongs to somebody else or is not there.
    pub(crate) async fn visible(&self, caller: &Principal, id: OrderId) -> Result<Order, Problem> {
        let order = self.read(id).await?;
        if is_or_has(caller, order.customer_id, ORDERS_ADMIN) {
            Ok(order)
        } else {
            Err(not_found(id))
        }
    }

    /// A customer's orders, the latest first.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub(crate) async fn of(
        &self,
        customer: UserId,
        before: i64,
        limit: u32,
    ) -> Result<Vec<Order>, Problem> {
        let orders = self
            .db
            .read::<_, DbError>(move |tx| store::orders_of(tx, customer, before, limit));
        Ok(orders.await?)
    }

    /// Calls an order off and waits a while until it is undone.
    ///
    /// # Errors
    ///
    /// `conflict` when it is too late.
    pub(crate) async fn cancel(&self, caller: &Principal, id: OrderId) -> Result<Order, Problem> {
        loop {
            let order = self.visible(caller, id).await?;
            if order.state.is_undone() {
                return self.end_of(id).await;
            }
            let Some(to) = saga::cancel(order.state) else {
                return Err(Problem::new(Code::Conflict).with_detail(format!(
                    "an order that is {} cannot be cancelled",
                    order.state.status()
                )));
            };
            let reason = "cancelled on request";
            if self.change(order, to, reason.to_owned()).await? {
                return self.end_of(id).await;
            }
            // The saga was faster: look again at where it is now.
        }
    }

    /// Notes that an order was shipped or delivered.
    ///
    /// # Errors
    ///
    /// `conflict` when the order is not where that follows.
    pub(crate) async fn set(&self, id: OrderId, to: State) -> Result<Order, Problem> {
        loop {
            let order = self.read(id).await?;
            if order.state == to {
                return Ok(order);
            }
            if !saga::may_set(order.state, to) {
                return Err(Problem::new(Code::Conflict).with_detail(format!(
                    "an order that is {} cannot become {}",
                    order.state.status(),
                    to.status()
                )));
            }
            let now = Timestamp::now(self.clock);
            let changed = self
                .db
                .write::<_, DbError>(move |tx| {
                    store::change(tx, &order, to, &Facts::default(), now)
                })
                .await?;
            if changed {
                return self.read(id).await;
            }
        }
    }

    async fn change(&self, order: Order, to: State, reason: String) -> Result<bool, Problem> {
        let now = Timestamp::now(self.clock);
        let facts = Facts {
            reason: Some(reason),
            ..Facts::default()
        };
        let changed = self
            .db
            .write::<_, DbError>(move |tx| store::change(tx, &order, to, &facts, now));
        Ok(changed.await?)
    }

    async fn read(&self, id: OrderId) -> Result<Order, Problem> {
        let order = self
            .db
            .read::<_, DbError>(move |tx| store::order(tx, id))
            .await?;
        order.ok_or_else(|| not_found(id))
    }
}

fn not_found(id: OrderId) -> Problem {
    Problem::new(Code::NotFound).with_detail(format!("there is no order {id}"))
}
