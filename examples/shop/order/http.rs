//! The order service's routes.

use axum::{
    Router,
    extract::State as AxumState,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use msf_auth::{
    Identity, InvalidRoutes, SecureRouter, Verifier,
    policy::{any, scope},
};
use msf_core::{
    axum::{Json, Path, Query},
    problem::{Code, Problem},
};
use serde::{Deserialize, Serialize};

use super::{
    domain::{Item, Order},
    request::CreateOrder,
    saga::{Cause, State},
    service::Orders,
};
use crate::{
    identity::{ORDERS_ADMIN, user_of},
    ids::{OrderId, UserId},
    money::{CURRENCY, Money},
    page,
    timestamp::Timestamp,
};

pub(super) fn router(orders: Orders, verifier: Verifier) -> Result<Router, InvalidRoutes> {
    let staff = || scope(ORDERS_ADMIN);
    // Whose order it is decides the service: to others it does not exist.
    let own_or_staff = |own| any([scope(own), staff()]);
    Ok(SecureRouter::new(verifier)
        .route("/api/orders", scope("orders:write"), post(create))
        .route("/api/orders", own_or_staff("orders:read"), get(list))
        .route("/api/orders/{id}", own_or_staff("orders:read"), get(show))
        .route("/api/orders/{id}/status", staff(), put(set_status))
        .route(
            "/api/orders/{id}/cancel",
            own_or_staff("orders:write"),
            post(cancel),
        )
        .into_router()?
        .with_state(orders))
}

/// An order as customers see it.
#[derive(Serialize)]
struct Shown {
    id: OrderId,
    customer_id: UserId,
    items: Vec<Item>,
    total_amount: Option<Money>,
    currency: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    payment_id: Option<String>,
    created_at: Timestamp,
}

impl From<Order> for Shown {
    fn from(order: Order) -> Self {
        Self {
            id: order.id,
            customer_id: order.customer_id,
            items: order.items,
            total_amount: order.total,
            currency: CURRENCY,
            status: order.state.status(),
            reason: order.reason,
            payment_id: order.payment_id,
            created_at: order.created_at,
        }
    }
}

async fn create(
    AxumState(orders): AxumState<Orders>,
    caller: Identity,
    headers: HeaderMap,
    Json(request): Json<CreateOrder>,
) -> Result<Response, Problem> {
    let customer = user_of(&caller)?;
    let key = idempotency_key(&headers)?;
    let order = orders.place(customer, key, request.check()?).await?;
    let location = HeaderValue::try_from(format!("/api/orders/{}", order.id));
    let mut response = created(order);
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The answer to a create, the same for the first request and for every copy of it.
fn created(order: Order) -> Response {
    let code = match order.state {
        State::Confirmed | State::Shipped | State::Delivered => {
            return (StatusCode::CREATED, Json(Shown::from(order))).into_response();
        }
        State::Undone(Cause::Declined) => Code::PaymentRequired,
        State::OutOfStock | State::Undone(Cause::Cancelled | Cause::GivenUp) => Code::Conflict,
        // It goes on in the background; the client looks at `Location`.
        State::Reserve | State::Charge | State::Commit | State::Refund(_) | State::Release(_) => {
            return (StatusCode::ACCEPTED, Json(Shown::from(order))).into_response();
        }
    };
    let reason = order.reason.unwrap_or_default();
    Problem::new(code)
        .with_detail(reason)
        .with_member("order_id", i64::from(order.id))
        .with_member("order_status", order.state.status())
        .into_response()
}

/// 1 to 255 visible ASCII characters, once.
fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(Problem::new(Code::IdempotencyKeyRequired)
            .with_detail("send one Idempotency-Key, new for each order"));
    };
    match key.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(key.to_owned())
        }
        _ => Err(Problem::new(Code::BadRequest)
            .with_detail("an Idempotency-Key has 1 to 255 visible ASCII characters")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    customer_id: Option<UserId>,
    before: Option<i64>,
    limit: Option<u32>,
}

async fn list(
    AxumState(orders): AxumState<Orders>,
    caller: Identity,
    Query(query): Query<ListQuery>,
) -> Result<(HeaderMap, Json<Vec<Shown>>), Problem> {
    let own = user_of(&caller)?;
    let customer = match query.customer_id {
        Some(other) if other != own && !caller.has_scope(ORDERS_ADMIN) => {
            return Err(
                Problem::new(Code::Forbidden).with_detail("the orders of others are for the staff")
            );
        }
        asked => asked.unwrap_or(own),
    };
    let limit = page::limit(query.limit);
    let before = query.before.unwrap_or(i64::MAX);
    let found = orders.of(customer, before, limit).await?;
    let path = match query.customer_id {
        Some(_) => format!("/api/orders?customer_id={customer}"),
        None => "/api/orders".to_owned(),
    };
    let last = found.last().map(|order| order.id);
    let next = page::next(&path, "before", found.len(), limit, last);
    Ok((next, Json(found.into_iter().map(Shown::from).collect())))
}

async fn show(
    AxumState(orders): AxumState<Orders>,
    caller: Identity,
    Path(id): Path<OrderId>,
) -> Result<Json<Shown>, Problem> {
    Ok(Json(orders.visible(&caller, id).await?.into()))
}

async fn cancel(
    AxumState(orders): AxumState<Orders>,
    caller: Identity,
    Path(id): Path<OrderId>,
) -> Result<(StatusCode, Json<Shown>), Problem> {
    let order = orders.cancel(&caller, id).await?;
    let status = if order.state.is_final() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(order.into())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetStatus {
    status: Settable,
}

/// What staff may say of an order; everything else is the saga's to say.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Settable {
    Shipped,
    Delivered,
}

async fn set_status(
    AxumState(orders): AxumState<Orders>,
    Path(id): Path<OrderId>,
    Json(request): Json<SetStatus>,
) -> Result<Json<Shown>, Problem> {
    let to = match request.status {
        Settable::Shipped => State::Shipped,
        Settable::Delivered => State::Delivered,
    };
    Ok(Json(orders.set(id, to).await?.into()))
}
