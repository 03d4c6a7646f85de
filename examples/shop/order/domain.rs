//! Orders as they are stored and shown.

use serde::Serialize;

use super::saga::State;
use crate::{
    ids::{OrderId, ProductId, UserId},
    inventory::domain::Line,
    money::Money,
    timestamp::Timestamp,
};

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) customer_id: UserId,
    pub(crate) items: Vec<Item>,
    /// Known when inventory has said the prices.
    pub(crate) total: Option<Money>,
    pub(crate) payment_id: Option<String>,
    pub(crate) state: State,
    /// Why it did not go through, for the customer.
    pub(crate) reason: Option<String>,
    /// Counts every change; who writes names the one it has read.
    pub(crate) version: i64,
    /// When the step at which it is began.
    pub(crate) step_since: Timestamp,
    /// How often the call of this step had no known outcome.
    pub(crate) attempts: u32,
    pub(crate) created_at: Timestamp,
}

/// A line of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Item {
    pub(crate) product_id: ProductId,
    pub(crate) quantity: u32,
    pub(crate) unit_price: Option<Money>,
}

impl Order {
    /// What is to be reserved.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.items
            .iter()
            .map(|item| Line {
                product_id: item.product_id,
                quantity: item.quantity,
            })
            .collect()
    }
}

/// An order that has passed validation and is not stored yet.
#[derive(Clone, Debug)]
pub(crate) struct NewOrder {
    pub(crate) customer_id: UserId,
    pub(crate) lines: Vec<Line>,
    pub(crate) payment_method: String,
    /// The card token, sealed; see [`vault`](super::vault).
    pub(crate) sealed_card: Vec<u8>,
    pub(crate) idempotency_key: String,
    pub(crate) fingerprint: Vec<u8>,
}
