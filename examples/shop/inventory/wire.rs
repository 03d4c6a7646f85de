//! What the order service and the inventory say to each other.

use msf_core::problem::{Code, Problem};
use serde::{Deserialize, Serialize};

use super::domain::{Line, PricedLine, Shortage};
use crate::ids::OrderId;

/// `POST /internal/reservations`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReserveRequest {
    pub(crate) order_id: OrderId,
    pub(crate) items: Vec<Line>,
}

/// Everything is put aside, at these prices.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) order_id: OrderId,
    pub(crate) items: Vec<PricedLine>,
}

/// A release or a commit is done.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Settled {
    pub(crate) order_id: OrderId,
}

/// Why nothing is put aside; `409 conflict` with the member `reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    OutOfStock(Vec<Shortage>),
    CalledOff,
}

/// The values of the member `reason`.
pub(crate) const OUT_OF_STOCK: &str = "out_of_stock";
pub(crate) const CALLED_OFF: &str = "called_off";

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let problem = Self::new(Code::Conflict);
        match refusal {
            Refusal::OutOfStock(shortages) => problem
                .with_detail("there is not enough of everything")
                .with_member("reason", OUT_OF_STOCK)
                .with_member(
                    "shortages",
                    serde_json::to_value(shortages).unwrap_or_default(),
                ),
            Refusal::CalledOff => problem
                .with_detail("the order was called off")
                .with_member("reason", CALLED_OFF),
        }
    }
}
