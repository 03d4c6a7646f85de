//! Takes orders through the saga.
//!
//! One step: read where the order is, make the call, decide ([`saga::next`]), write the decision
//! down if nobody was faster. A crash anywhere in between loses nothing: the next one who reads the
//! order makes the same call again, and the other service answers it as it did the first time.
//!
//! # Cancel safety
//!
//! Dropping [`Driver::drive`] at any await is such a crash.

use std::{sync::Arc, time::Duration};

use msf_core::{
    backoff::{Backoff, Delays},
    clock::WallClock,
};
use tokio::time::timeout;

use super::{
    domain::Order,
    ports::{Charge, ChargeOrder, Inventory, Payments, Reserve, Settled, Unknown},
    saga::{self, Outcome, State, Step},
    store::{self, Facts},
    vault::Vault,
    waiters::Waiters,
};
use crate::{
    db::{Db, DbError},
    ids::{OrderId, UserId},
    money::Money,
    timestamp::Timestamp,
};

/// How patient the saga is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long one call may take: the slowest card needs 2 s.
    pub(crate) call: Duration,
    /// How long a step may stay undecided before the order is called off; a half minute is more than
    /// a restart takes and less than a customer waits.
    pub(crate) give_up: Duration,
    /// The waits between calls of one step.
    pub(crate) backoff: Backoff,
}

impl Patience {
    /// What the shop runs with.
    ///
    /// # Panics
    ///
    /// Never: the waits are in order.
    pub(crate) fn standard() -> Self {
        Self {
            call: Duration::from_secs(4),
            give_up: Duration::from_secs(30),
            backoff: Backoff::exponential(Duration::from_millis(50), Duration::from_secs(2))
                .expect("50 ms is more than nothing and less than 2 s"),
        }
    }
}

/// Makes the calls of the saga.
pub(crate) struct Driver {
    pub(crate) db: Db,
    pub(crate) vault: Arc<Vault>,
    pub(crate) inventory: Arc<dyn Inventory>,
    pub(crate) payments: Arc<dyn Payments>,
    pub(crate) waiters: Waiters,
    pub(crate) patience: Patience,
    pub(crate) clock: WallClock,
}

impl Driver {
    /// Takes an order as far as it goes: to its end (`None`), or to a call whose outcome is not known,
    /// which is due again after the wait.
    ///
    /// # Errors
    ///
    /// [`DbError`] when a decision cannot be written down; the order is due again as if after a crash.
    pub(crate) async fn drive(&self, id: OrderId) -> Result<Option<Duration>, DbError> {
        loop {
            let Some(order) = self.db.read(move |tx| store::order(tx, id)).await? else {
                return Ok(None);
            };
            if order.state.is_final() {
                self.waiters.wake(id);
                return Ok(None);
            }
            let (outcome, facts) = self.call(&order).await;
            match saga::next(order.state, &outcome) {
                Step::To(state) => self.go(order, state, facts).await?,
                Step::Again => {
                    let wait = self.wait_after(order.attempts);
                    let until = Timestamp::now(self.clock).after(wait);
                    let postponed = self.db.write(move |tx| store::postpone(tx, &order, until));
                    // A call for a state that was left meanwhile says nothing about the new one.
                    if postponed.await? {
                        return Ok(Some(wait));
                    }
                }
            }
        }
    }

    /// Writes the decision down. Who comes second finds another version and reads again.
    async fn go(&self, order: Order, to: State, facts: Facts) -> Result<(), DbError> {
        let (id, from) = (order.id, order.state);
        let now = Timestamp::now(self.clock);
        let was_first = self
            .db
            .write(move |tx| store::change(tx, &order, to, &facts, now))
            .await?;
        if was_first {
            tracing::debug!(order = %id, from = from.word(), to = to.word(), "order goes on");
        }
        Ok(())
    }

    async fn call(&self, order: &Order) -> (Outcome, Facts) {
        let called = timeout(self.patience.call, self.call_for(order)).await;
        let result = called.unwrap_or_else(|_| Err(Unknown("no answer in time".to_owned())));
        result.unwrap_or_else(|unknown| {
            let waited = Timestamp::now(self.clock).since(order.step_since);
            let too_long = waited > self.patience.give_up;
            tracing::info!(
                order = %order.id, at = order.state.word(), too_long, error = %unknown,
                "outcome not known"
            );
            let reason = too_long.then(|| "the order could not be processed in time".to_owned());
            (Outcome::Unknown { too_long }, because(reason))
        })
    }

    async fn call_for(&self, order: &Order) -> Result<(Outcome, Facts), Unknown> {
        match order.state {
            State::Reserve => {
                let lines = order.lines();
                let answer = self.inventory.reserve(order.id, &lines).await?;
                Ok(reserved(order, answer))
            }
            State::Charge => {
                let charge = self.charge_of(order).await?;
                Ok(charged(self.payments.charge(&charge).await?))
            }
            State::Commit => Ok(settled(self.inventory.commit(order.id).await?)),
            State::Refund(_) => {
                self.payments.refund(order.id).await?;
                Ok((Outcome::Done, Facts::default()))
            }
            State::Release(_) => Ok(settled(self.inventory.release(order.id).await?)),
            State::Confirmed
            | State::Shipped
            | State::Delivered
            | State::OutOfStock
            | State::Undone(_) => Err(Unknown("the order has come to its end".to_owned())),
        }
    }

    async fn charge_of(&self, order: &Order) -> Result<ChargeOrder, Unknown> {
        let id = order.id;
        let card = self.db.read(move |tx| store::card(tx, id)).await;
        let card = card
            .map_err(|error| Unknown(error.to_string()))?
            .ok_or_else(|| Unknown("the order is gone".to_owned()))?;
        let bound_to = bound_to(order.customer_id, &card.idempotency_key);
        let token = self.vault.open_card(&card.sealed, &bound_to);
        Ok(ChargeOrder {
            order_id: id,
            customer_id: order.customer_id,
            amount: order
                .total
                .ok_or_else(|| Unknown("the order has no total".to_owned()))?,
            payment_method: card.payment_method,
            card: token.map_err(|error| Unknown(error.to_string()))?,
        })
    }

    fn wait_after(&self, attempts: u32) -> Duration {
        let mut delays: Delays = self.patience.backoff.delays();
        // Attempts are counted in the database, so that a restart does not begin with a storm.
        for _ in 0..attempts.min(16) {
            delays.next_delay();
        }
        delays.next_delay().max(self.patience.backoff.base() / 2)
    }
}

/// To which order a sealed card belongs, known before the order has a number.
pub(crate) fn bound_to(customer: UserId, idempotency_key: &str) -> String {
    format!("{customer}/{idempotency_key}")
}

fn reserved(order: &Order, answer: Reserve) -> (Outcome, Facts) {
    match answer {
        Reserve::Held(lines) => {
            let asked = order.lines();
            let same = lines.len() == asked.len()
                && lines.iter().zip(&asked).all(|(held, asked)| {
                    (held.product_id, held.quantity) == (asked.product_id, asked.quantity)
                });
            let total = Money::total(
                lines
                    .iter()
                    .map(|line| line.unit_price.times(line.quantity)),
            );
            match total {
                Some(total) if same => (
                    Outcome::Held(total),
                    Facts {
                        prices: Some((lines, total)),
                        ..Facts::default()
                    },
                ),
                _ => (Outcome::Contradiction, failed()),
            }
        }
        Reserve::Short(shortages) => {
            let missing: Vec<String> = shortages
                .iter()
                .map(|shortage| match shortage.available {
                    Some(left) => format!("product {}: {left} left", shortage.product_id),
                    None => format!("product {}: not sold here", shortage.product_id),
                })
                .collect();
            (Outcome::Refused, because(Some(missing.join("; "))))
        }
        Reserve::CalledOff => (Outcome::Contradiction, failed()),
    }
}

fn charged(answer: Charge) -> (Outcome, Facts) {
    match answer {
        Charge::Charged { payment_id } => (
            Outcome::Charged,
            Facts {
                payment_id: Some(payment_id),
                ..Facts::default()
            },
        ),
        Charge::Declined { payment_id } => (
            Outcome::Declined,
            Facts {
                payment_id: Some(payment_id),
                reason: Some("the card was declined".to_owned()),
                ..Facts::default()
            },
        ),
        Charge::CalledOff => (Outcome::Contradiction, failed()),
    }
}

fn settled(answer: Settled) -> (Outcome, Facts) {
    match answer {
        Settled::Done => (Outcome::Done, Facts::default()),
        Settled::Contradiction => (Outcome::Contradiction, failed()),
    }
}

fn failed() -> Facts {
    because(Some("the order could not be processed".to_owned()))
}

fn because(reason: Option<String>) -> Facts {
    Facts {
        reason,
        ..Facts::default()
    }
}
