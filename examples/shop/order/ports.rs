//! The services that an order needs, as the saga sees them.

use async_trait::async_trait;

use crate::{
    ids::{OrderId, UserId},
    inventory::domain::{Line, PricedLine, Shortage},
    money::Money,
    payment::card::CardToken,
};

/// The inventory. Every call may be made any number of times for one order.
///
/// # Cancel safety
///
/// Dropping a call leaves its outcome unknown, like a lost answer.
#[async_trait]
pub(crate) trait Inventory: Send + Sync {
    /// Puts goods aside.
    async fn reserve(&self, order: OrderId, lines: &[Line]) -> Result<Reserve, Unknown>;

    /// Takes goods that were put aside out of the house.
    async fn commit(&self, order: OrderId) -> Result<Settled, Unknown>;

    /// Puts goods back, or keeps a late reservation from being made.
    async fn release(&self, order: OrderId) -> Result<Settled, Unknown>;
}

/// The payments. Every call may be made any number of times for one order.
///
/// # Cancel safety
///
/// Dropping a call leaves its outcome unknown, like a lost answer.
#[async_trait]
pub(crate) trait Payments: Send + Sync {
    /// Takes the money.
    async fn charge(&self, charge: &ChargeOrder) -> Result<Charge, Unknown>;

    /// Gives the money back, or keeps a late charge from being made.
    async fn refund(&self, order: OrderId) -> Result<(), Unknown>;
}

/// What is to be charged.
#[derive(Clone, Debug)]
pub(crate) struct ChargeOrder {
    pub(crate) order_id: OrderId,
    pub(crate) customer_id: UserId,
    pub(crate) amount: Money,
    pub(crate) payment_method: String,
    pub(crate) card: CardToken,
}

/// The answer to a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reserve {
    /// Everything is put aside, at these prices.
    Held(Vec<PricedLine>),
    /// There is not enough, and for this order there never will be.
    Short(Vec<Shortage>),
    /// The order was called off there.
    CalledOff,
}

/// The answer to a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// Paid.
    Charged { payment_id: String },
    /// The card was refused.
    Declined { payment_id: String },
    /// The order was called off there.
    CalledOff,
}

/// The answer to a commit or a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It is so.
    Done,
    /// It cannot be so: the order is in another state there.
    Contradiction,
}

/// Nobody knows whether the call was made.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the outcome is not known: {0}")]
pub(crate) struct Unknown(pub String);
