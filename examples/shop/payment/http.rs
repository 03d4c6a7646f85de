//! The payment service's routes.

use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use http::{HeaderMap, StatusCode};
use msf_auth::{Identity, InvalidRoutes, SecureRouter, Verifier, policy};
use msf_core::{
    axum::{Json, Path, Query},
    clock::WallClock,
    problem::{Code, Problem},
};
use serde::Deserialize;

use super::{
    card::CardToken,
    domain::{Charge, Charged, Payment},
    store,
    wire::{CARD, ChargeAnswer, ChargeRequest, RefundAnswer},
};
use crate::{
    db::Db,
    identity::{ORDERS_ADMIN, is_or_has, user_of},
    ids::OrderId,
    page,
    timestamp::Timestamp,
};

#[derive(Clone)]
pub(super) struct App {
    pub(super) db: Db,
    pub(super) clock: WallClock,
}

pub(super) fn router(app: App, verifier: Verifier) -> Result<Router, InvalidRoutes> {
    let read = || policy::scope("payments:read");
    let order_service = || policy::service("order");
    Ok(SecureRouter::new(verifier)
        .route("/api/payments", read(), get(list))
        .route("/api/payments/{id}", read(), get(show))
        .route("/internal/charges", order_service(), post(charge))
        .route(
            "/internal/charges/{order_id}/refund",
            order_service(),
            post(refund),
        )
        .into_router()?
        .with_state(app))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    order_id: Option<OrderId>,
    after: Option<i64>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<App>,
    caller: Identity,
    Query(query): Query<ListQuery>,
) -> Result<(HeaderMap, Json<Vec<Payment>>), Problem> {
    let owner = match caller.has_scope(ORDERS_ADMIN) {
        true => None,
        false => Some(user_of(&caller)?),
    };
    let limit = page::limit(query.limit);
    let after = query.after.unwrap_or(0);
    let payments = app
        .db
        .read(move |tx| store::payments(tx, owner, query.order_id, after, limit))
        .await?;
    let last = payments.last().map(|payment| payment.order_id);
    let next = page::next("/api/payments", "after", payments.len(), limit, last);
    Ok((next, Json(payments)))
}

async fn show(
    State(app): State<App>,
    caller: Identity,
    Path(id): Path<String>,
) -> Result<Json<Payment>, Problem> {
    let found = app.db.read(move |tx| store::payment(tx, &id)).await?;
    found
        .filter(|payment| is_or_has(&caller, payment.customer_id, ORDERS_ADMIN))
        .map(Json)
        .ok_or_else(|| Problem::new(Code::NotFound).with_detail("there is no such payment"))
}

async fn charge(
    State(app): State<App>,
    headers: HeaderMap,
    Json(request): Json<ChargeRequest>,
) -> Result<(StatusCode, Json<ChargeAnswer>), Problem> {
    let key = headers.get("idempotency-key").map(|key| key.as_bytes());
    match key {
        None => return Err(Problem::new(Code::IdempotencyKeyRequired)),
        Some(key) if key != request.order_id.to_string().as_bytes() => {
            return Err(Problem::new(Code::BadRequest)
                .with_detail("the Idempotency-Key of a charge is the id of its order"));
        }
        Some(_) => {}
    }
    let (charge, token) = parse(request)?;
    let before = {
        let charge = charge.clone();
        app.db.read(move |tx| store::answered(tx, &charge)).await?
    };
    let charged = match before {
        Some(before) => before,
        None => {
            // The card company decides by the token; asking it again would give the same answer.
            let verdict = token.verdict();
            tokio::time::sleep(verdict.delay).await;
            let now = Timestamp::now(app.clock);
            app.db
                .write(move |tx| store::charge(tx, &charge, verdict.accepted, now))
                .await?
        }
    };
    match charged {
        Charged::New { payment_id, status } => Ok((
            StatusCode::CREATED,
            Json(ChargeAnswer { payment_id, status }),
        )),
        Charged::Before { payment_id, status } => {
            Ok((StatusCode::OK, Json(ChargeAnswer { payment_id, status })))
        }
        Charged::CalledOff => {
            Err(Problem::new(Code::Conflict).with_detail("the charge was called off"))
        }
        Charged::Mismatch => Err(Problem::new(Code::IdempotencyKeyReused)
            .with_detail("the order was charged with something else")),
    }
}

/// Keeps the token apart from what is stored.
fn parse(request: ChargeRequest) -> Result<(Charge, CardToken), Problem> {
    let invalid = || Problem::new(Code::ValidationFailed);
    if request.payment_method != CARD {
        return Err(invalid().with_error("/payment_method", "must be `card`"));
    }
    let token = CardToken::new(request.card_token)
        .ok_or_else(|| invalid().with_error("/card_token", "is not a card token"))?;
    let charge = Charge {
        order_id: request.order_id,
        customer_id: request.customer_id,
        amount: request.amount,
        payment_method: request.payment_method,
        card: token.card(),
    };
    Ok((charge, token))
}

async fn refund(
    State(app): State<App>,
    Path(order_id): Path<OrderId>,
) -> Result<Json<RefundAnswer>, Problem> {
    let now = Timestamp::now(app.clock);
    let status = app
        .db
        .write(move |tx| store::refund(tx, order_id, now))
        .await?;
    Ok(Json(RefundAnswer { order_id, status }))
}
