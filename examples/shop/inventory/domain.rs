//! Products and reservations.

use serde::{Deserialize, Serialize};

use crate::{ids::ProductId, money::Money};

/// A product as customers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Product {
    pub(crate) id: ProductId,
    pub(crate) name: String,
    pub(crate) unit_price: Money,
    pub(crate) currency: String,
    /// What can be ordered now: in the house and not reserved.
    pub(crate) available: u32,
}

/// So much of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) product_id: ProductId,
    pub(crate) quantity: u32,
}

/// So much of a product, for so much each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PricedLine {
    pub(crate) product_id: ProductId,
    pub(crate) quantity: u32,
    pub(crate) unit_price: Money,
}

/// A line that cannot be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shortage {
    pub(crate) product_id: ProductId,
    /// What there is; nothing of a product that does not exist.
    pub(crate) available: Option<u32>,
}

/// The answer to a reservation, which is the same however often it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// Everything is put aside, at these prices.
    Held(Vec<PricedLine>),
    /// Nothing is put aside, now or ever, for this order.
    Short(Vec<Shortage>),
    /// The order was called off before.
    CalledOff,
    /// Another reservation was made for this order.
    Mismatch,
}

/// The answer to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Released {
    /// Nothing is put aside for the order, and nothing will be.
    Done,
    /// The goods have left the house.
    Committed,
}

/// The answer to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// The goods have left the house.
    Done,
    /// Nothing is put aside for the order.
    NotReserved,
}
