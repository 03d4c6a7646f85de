//! The inventory's routes.

use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use http::HeaderMap;
use msf_auth::{InvalidRoutes, SecureRouter, Verifier, policy};
use msf_core::{
    axum::{Json, Path, Query},
    clock::WallClock,
    problem::{Code, Problem},
};
use serde::{Deserialize, Serialize};

use super::{
    domain::{Committed, Line, Product, Released, Reserved},
    store,
    wire::{Refusal, Reservation, ReserveRequest, Settled},
};
use crate::{
    db::{Db, DbError},
    ids::{OrderId, ProductId},
    page,
    timestamp::Timestamp,
};

#[derive(Clone)]
pub(super) struct App {
    pub(super) db: Db,
    pub(super) clock: WallClock,
}

pub(super) fn router(app: App, verifier: Verifier) -> Result<Router, InvalidRoutes> {
    let order_service = || policy::service("order");
    Ok(SecureRouter::new(verifier)
        .public("/api/inventory/products", get(list))
        .public("/api/inventory/products/{id}", get(show))
        .public(
            "/api/inventory/products/{id}/availability",
            get(availability),
        )
        .route("/internal/reservations", order_service(), post(reserve))
        .route(
            "/internal/reservations/{order_id}/release",
            order_service(),
            post(release),
        )
        .route(
            "/internal/reservations/{order_id}/commit",
            order_service(),
            post(commit),
        )
        .into_router()?
        .with_state(app))
}

async fn list(
    State(app): State<App>,
    Query(query): Query<page::Query>,
) -> Result<(HeaderMap, Json<Vec<Product>>), Problem> {
    let (after, limit) = query.bounds();
    let products = app
        .db
        .read(move |tx| store::products(tx, after, limit))
        .await?;
    let last = products.last().map(|product| product.id);
    let next = page::next(
        "/api/inventory/products",
        "after",
        products.len(),
        limit,
        last,
    );
    Ok((next, Json(products)))
}

async fn show(State(app): State<App>, Path(id): Path<ProductId>) -> Result<Json<Product>, Problem> {
    Ok(Json(product(&app, id).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AvailabilityQuery {
    quantity: Option<u32>,
}

#[derive(Serialize)]
struct Availability {
    product_id: ProductId,
    quantity: u32,
    available: bool,
}

async fn availability(
    State(app): State<App>,
    Path(id): Path<ProductId>,
    Query(query): Query<AvailabilityQuery>,
) -> Result<Json<Availability>, Problem> {
    let product = product(&app, id).await?;
    let quantity = query.quantity.unwrap_or(1);
    Ok(Json(Availability {
        product_id: id,
        quantity,
        available: product.available >= quantity,
    }))
}

async fn product(app: &App, id: ProductId) -> Result<Product, Problem> {
    let found = app.db.read(move |tx| store::product(tx, id)).await?;
    found.ok_or_else(|| {
        Problem::new(Code::NotFound).with_detail(format!("there is no product {id}"))
    })
}

async fn reserve(
    State(app): State<App>,
    Json(request): Json<ReserveRequest>,
) -> Result<Json<Reservation>, Problem> {
    check(&request.items)?;
    let now = Timestamp::now(app.clock);
    let order = request.order_id;
    let reserved = app
        .db
        .write(move |tx| store::reserve(tx, order, &request.items, now))
        .await?;
    match reserved {
        Reserved::Held(items) => Ok(Json(Reservation {
            order_id: order,
            items,
        })),
        Reserved::Short(shortages) => Err(Refusal::OutOfStock(shortages).into()),
        Reserved::CalledOff => Err(Refusal::CalledOff.into()),
        Reserved::Mismatch => Err(Problem::new(Code::IdempotencyKeyReused)
            .with_detail("the order has reserved something else")),
    }
}

async fn release(
    State(app): State<App>,
    Path(order): Path<OrderId>,
) -> Result<Json<Settled>, Problem> {
    let now = Timestamp::now(app.clock);
    let released: Result<_, DbError> = app.db.write(move |tx| store::release(tx, order, now)).await;
    match released? {
        Released::Done => Ok(Json(Settled { order_id: order })),
        Released::Committed => {
            Err(Problem::new(Code::Conflict).with_detail("the goods have left the house"))
        }
    }
}

async fn commit(
    State(app): State<App>,
    Path(order): Path<OrderId>,
) -> Result<Json<Settled>, Problem> {
    let now = Timestamp::now(app.clock);
    let committed: Result<_, DbError> = app.db.write(move |tx| store::commit(tx, order, now)).await;
    match committed? {
        Committed::Done => Ok(Json(Settled { order_id: order })),
        Committed::NotReserved => {
            Err(Problem::new(Code::Conflict).with_detail("nothing is put aside for this order"))
        }
    }
}

/// What even a service may not ask for.
fn check(lines: &[Line]) -> Result<(), Problem> {
    let repeated = (1..lines.len()).find(|at| {
        let id = lines[*at].product_id;
        lines[..*at].iter().any(|line| line.product_id == id)
    });
    let problem = Problem::new(Code::ValidationFailed);
    if lines.is_empty() {
        return Err(problem.with_error("/items", "must not be empty"));
    }
    if let Some(at) = repeated {
        return Err(problem.with_error(format!("/items/{at}/product_id"), "is listed twice"));
    }
    match lines.iter().position(|line| line.quantity == 0) {
        Some(at) => Err(problem.with_error(format!("/items/{at}/quantity"), "must be at least 1")),
        None => Ok(()),
    }
}
