//! What the order service and the payment service say to each other.

use serde::{Deserialize, Serialize};

use super::domain::Status;
use crate::{
    ids::{OrderId, UserId},
    money::Money,
};

/// `POST /internal/charges`, with the order's id as `Idempotency-Key`.
///
/// No `Debug`: it holds a card token.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChargeRequest {
    pub(crate) order_id: OrderId,
    pub(crate) customer_id: UserId,
    pub(crate) amount: Money,
    pub(crate) payment_method: String,
    pub(crate) card_token: String,
}

/// A charge was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChargeAnswer {
    pub(crate) payment_id: String,
    pub(crate) status: Status,
}

/// A charge is called off, or was never made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct RefundAnswer {
    pub(crate) order_id: OrderId,
    pub(crate) status: Status,
}

/// The one method of payment.
pub(crate) const CARD: &str = "card";
