//! Charges and refunds.

use serde::{Deserialize, Serialize};

use super::card::Card;
use crate::{
    ids::{OrderId, UserId},
    money::Money,
    timestamp::Timestamp,
};

/// What is to be charged. Two requests for one order are the same when all of it is equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) order_id: OrderId,
    pub(crate) customer_id: UserId,
    pub(crate) amount: Money,
    pub(crate) payment_method: String,
    pub(crate) card: Card,
}

/// What became of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// The money was taken.
    Charged,
    /// The card was refused; no money was taken.
    Declined,
    /// The money was taken and given back.
    Refunded,
    /// Called off before anything was charged.
    Void,
}

/// A payment as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Payment {
    pub(crate) payment_id: String,
    pub(crate) order_id: OrderId,
    pub(crate) customer_id: UserId,
    pub(crate) amount: Money,
    pub(crate) currency: String,
    pub(crate) status: Status,
    pub(crate) payment_method: String,
    #[serde(flatten)]
    pub(crate) card: Card,
    pub(crate) created_at: Timestamp,
}

/// The answer to a charge, which is the same however often it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Charged {
    /// Done now.
    New { payment_id: String, status: Status },
    /// Done before; nothing was done now.
    Before { payment_id: String, status: Status },
    /// The order was called off, before or after it was charged; it is not charged now.
    CalledOff,
    /// Another charge was made under this key.
    Mismatch,
}
