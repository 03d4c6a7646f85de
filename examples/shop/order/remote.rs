//! The other services over HTTP, by name.
//!
//! What an answer means is decided here and nowhere else. Only an answer that the other service can have
//! given on purpose is a decision; everything else, a 401 or a body that cannot be read included, is
//! [`Unknown`].

use std::fmt;

use async_trait::async_trait;
use http::StatusCode;
use msf_auth::BearerSource;
use msf_client::{Response, ServiceClient};
use msf_core::problem::Received;
use serde::Serialize;
use serde_json::Value;

use super::ports::{Charge, ChargeOrder, Inventory, Payments, Reserve, Settled, Unknown};
use crate::{
    ids::OrderId,
    inventory::{
        domain::{Line, Shortage},
        wire::{CALLED_OFF, OUT_OF_STOCK, Reservation, ReserveRequest},
    },
    payment::{
        domain::Status,
        wire::{ChargeAnswer, ChargeRequest, RefundAnswer},
    },
};

/// A service and the tokens with which it is called.
///
/// Every call names its order, and does for one order once what it does, however often it is made: so the
/// client may send it again when an instance dies under it, and the saga again when that did not help.
#[derive(Clone)]
pub(crate) struct Remote<B> {
    pub(crate) service: ServiceClient,
    pub(crate) tokens: B,
}

impl<B: BearerSource> Remote<B> {
    async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
        order: OrderId,
    ) -> Result<Response, Unknown> {
        let token = self.tokens.bearer().map_err(unknown)?;
        let request = self.service.post(path).bearer(token).json(body);
        let request = request.idempotency_key(&order.to_string());
        request.send().await.map_err(unknown)
    }

    /// A call that is done or cannot be.
    async fn settle(&self, path: &str, order: OrderId) -> Result<Settled, Unknown> {
        let response = self.post(path, &Value::Null, order).await?;
        match response.status() {
            StatusCode::OK => Ok(Settled::Done),
            StatusCode::CONFLICT => Ok(Settled::Contradiction),
            status => Err(unexpected(status)),
        }
    }
}

#[async_trait]
impl<B: BearerSource> Inventory for Remote<B> {
    async fn reserve(&self, order: OrderId, lines: &[Line]) -> Result<Reserve, Unknown> {
        let request = ReserveRequest {
            order_id: order,
            items: lines.to_vec(),
        };
        let response = self.post("/internal/reservations", &request, order).await?;
        match response.status() {
            StatusCode::OK => {
                let reservation: Reservation = response.json().await.map_err(unknown)?;
                Ok(Reserve::Held(reservation.items))
            }
            StatusCode::CONFLICT => refused(&problem(response).await?),
            status => Err(unexpected(status)),
        }
    }

    async fn commit(&self, order: OrderId) -> Result<Settled, Unknown> {
        let path = format!("/internal/reservations/{order}/commit");
        self.settle(&path, order).await
    }

    async fn release(&self, order: OrderId) -> Result<Settled, Unknown> {
        let path = format!("/internal/reservations/{order}/release");
        self.settle(&path, order).await
    }
}

#[async_trait]
impl<B: BearerSource> Payments for Remote<B> {
    async fn charge(&self, charge: &ChargeOrder) -> Result<Charge, Unknown> {
        let request = ChargeRequest {
            order_id: charge.order_id,
            customer_id: charge.customer_id,
            amount: charge.amount,
            payment_method: charge.payment_method.clone(),
            card_token: charge.card.expose().to_owned(),
        };
        let order = charge.order_id;
        let response = self.post("/internal/charges", &request, order).await?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED => {
                let ChargeAnswer { payment_id, status } = response.json().await.map_err(unknown)?;
                match status {
                    Status::Charged => Ok(Charge::Charged { payment_id }),
                    Status::Declined => Ok(Charge::Declined { payment_id }),
                    Status::Refunded | Status::Void => Ok(Charge::CalledOff),
                }
            }
            StatusCode::CONFLICT => Ok(Charge::CalledOff),
            status => Err(unexpected(status)),
        }
    }

    async fn refund(&self, order: OrderId) -> Result<(), Unknown> {
        let path = format!("/internal/charges/{order}/refund");
        let response = self.post(&path, &Value::Null, order).await?;
        if response.status() != StatusCode::OK {
            return Err(unexpected(response.status()));
        }
        let RefundAnswer { status, .. } = response.json().await.map_err(unknown)?;
        match status {
            Status::Charged => Err(Unknown("still charged after a refund".to_owned())),
            Status::Declined | Status::Refunded | Status::Void => Ok(()),
        }
    }
}

fn refused(problem: &Received) -> Result<Reserve, Unknown> {
    let reason = problem.member("reason").and_then(Value::as_str);
    match reason {
        Some(OUT_OF_STOCK) => {
            let shortages = problem.member("shortages").cloned();
            let shortages: Vec<Shortage> =
                serde_json::from_value(shortages.unwrap_or_default()).map_err(unknown)?;
            Ok(Reserve::Short(shortages))
        }
        Some(CALLED_OFF) => Ok(Reserve::CalledOff),
        _ => Err(unexpected(StatusCode::CONFLICT)),
    }
}

async fn problem(response: Response) -> Result<Received, Unknown> {
    let status = response.status();
    let body = response.bytes().await.map_err(unknown)?;
    Received::parse(status, &body).ok_or_else(|| unexpected(status))
}

fn unexpected(status: StatusCode) -> Unknown {
    Unknown(format!("status {status}"))
}

fn unknown(error: impl fmt::Display) -> Unknown {
    Unknown(error.to_string())
}
