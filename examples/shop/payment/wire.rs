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
pub struct ChargeRequest {
    pub order_id: OrderId,
    pub customer_id: UserId,
    pub amount: Money,
    pub payment_method: String,
    pub card_token: String,
}

/// A charge was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChargeAnswer {
    pub payment_id: String,
    pub status: Status,
}

/// A charge is called off, or was never made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RefundAnswer {
    pub order_id: OrderId,
    pub status: Status,
}

/// The one method of payment.
pub const CARD: &str = "card";
