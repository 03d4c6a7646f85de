//! The orders' database.

use std::time::Duration;

use rusqlite::{
    OptionalExtension, Row, Transaction,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
use serde_json::json;

use super::{
    domain::{Item, NewOrder, Order},
    saga::State,
};
use crate::{
    db::DbError,
    events,
    ids::{OrderId, UserId},
    inventory::domain::PricedLine,
    money::{CURRENCY, Money},
    timestamp::Timestamp,
};

/// The schema.
pub(crate) const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE orders (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id     INTEGER NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint     BLOB NOT NULL,
    state           TEXT NOT NULL,
    reason          TEXT,
    total_amount    INTEGER CHECK (total_amount >= 0),
    currency        TEXT NOT NULL,
    payment_method  TEXT NOT NULL,
    -- The card token, encrypted; gone as soon as the charge is answered.
    sealed_card     BLOB,
    payment_id      TEXT,
    version         INTEGER NOT NULL DEFAULT 0,
    attempts        INTEGER NOT NULL DEFAULT 0,
    step_since      INTEGER NOT NULL,
    -- When the next call is due; none is in a final state.
    next_attempt_at INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    UNIQUE (customer_id, idempotency_key)
) STRICT;
CREATE INDEX orders_due ON orders (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE TABLE order_items (
    order_id   INTEGER NOT NULL REFERENCES orders,
    line       INTEGER NOT NULL,
    product_id INTEGER NOT NULL,
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    unit_price INTEGER CHECK (unit_price >= 0),
    PRIMARY KEY (order_id, line),
    UNIQUE (order_id, product_id)
) STRICT, WITHOUT ROWID;
",
    events::SCHEMA,
];

/// What became of a request to create an order.
#[derive(Clone, Debug)]
pub(crate) enum Created {
    /// It was created.
    New(Order),
    /// The same request had created it before.
    Before(Order),
    /// Another request had used the key.
    KeyReused,
}

/// What was learned with a change of state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) prices: Option<(Vec<PricedLine>, Money)>,
    pub(crate) payment_id: Option<String>,
    pub(crate) reason: Option<String>,
}

/// Creates an order, once for each key of a customer.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn create(
    tx: &Transaction<'_>,
    new: &NewOrder,
    now: Timestamp,
) -> Result<Created, DbError> {
    let known = tx
        .prepare_cached(
            "SELECT id, fingerprint FROM orders WHERE customer_id = ?1 AND idempotency_key = ?2",
        )?
        .query_row((new.customer_id, &new.idempotency_key), |row| {
            Ok((row.get::<_, OrderId>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    if let Some((id, fingerprint)) = known {
        return Ok(match order(tx, id)? {
            Some(order) if fingerprint == new.fingerprint => Created::Before(order),
            _ => Created::KeyReused,
        });
    }
    tx.prepare_cached(
        "INSERT INTO orders (customer_id, idempotency_key, fingerprint, state, currency,
             payment_method, sealed_card, step_since, next_attempt_at, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?8, ?8)",
    )?
    .execute((
        new.customer_id,
        &new.idempotency_key,
        &new.fingerprint,
        State::Reserve,
        CURRENCY,
        &new.payment_method,
        &new.sealed_card,
        now,
        now.after(TAKEOVER),
    ))?;
    let id = tx.last_insert_rowid();
    let mut insert = tx.prepare_cached(
        "INSERT INTO order_items (order_id, line, product_id, quantity) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (number, line) in (0_i64..).zip(&new.lines) {
        insert.execute((id, number, line.product_id, line.quantity))?;
    }
    let payload = json!({
        "order_id": id,
        "customer_id": new.customer_id,
        "items": new.lines,
        "timestamp": now,
    });
    events::record(tx, "order.created", &format!("order/{id}"), &payload, now)?;
    let id = OrderId::try_from(id).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, id))?;
    let created = order(tx, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(Created::New(created))
}

/// Takes an order to another state, if it still is what was read; `false` when somebody else was faster.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn change(
    tx: &Transaction<'_>,
    read: &Order,
    to: State,
    facts: &Facts,
    now: Timestamp,
) -> Result<bool, DbError> {
    let next = (!to.is_final()).then(|| now.after(TAKEOVER));
    let keeps_card = matches!(to, State::Reserve | State::Charge);
    let changed = tx
        .prepare_cached(
            "UPDATE orders SET state = ?3, version = version + 1, attempts = 0, step_since = ?4,
                 updated_at = ?4, next_attempt_at = ?5,
                 sealed_card = CASE WHEN ?6 THEN sealed_card END,
                 total_amount = coalesce(?7, total_amount),
                 payment_id = coalesce(?8, payment_id),
                 reason = coalesce(?9, reason)
             WHERE id = ?1 AND version = ?2",
        )?
        .execute((
            read.id,
            read.version,
            to,
            now,
            next,
            keeps_card,
            facts.prices.as_ref().map(|(_, total)| *total),
            &facts.payment_id,
            &facts.reason,
        ))?;
    if changed == 0 {
        return Ok(false);
    }
    for line in facts.prices.iter().flat_map(|(lines, _)| lines) {
        tx.prepare_cached(
            "UPDATE order_items SET unit_price = ?3 WHERE order_id = ?1 AND product_id = ?2",
        )?
        .execute((read.id, line.product_id, line.unit_price))?;
    }
    Ok(true)
}

/// Notes that a call had no known outcome and when it is due again; `false` when
/// somebody else has taken the order further.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn postpone(
    tx: &Transaction<'_>,
    read: &Order,
    until: Timestamp,
) -> Result<bool, DbError> {
    let postponed = tx
        .prepare_cached(
            "UPDATE orders SET attempts = attempts + 1, next_attempt_at = ?3
         WHERE id = ?1 AND version = ?2 AND next_attempt_at IS NOT NULL",
        )?
        .execute((read.id, read.version, until))?;
    Ok(postponed > 0)
}

/// Makes every unfinished order due, for a service that has just started.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn wake_all(tx: &Transaction<'_>, now: Timestamp) -> Result<usize, DbError> {
    Ok(tx.execute(
        "UPDATE orders SET next_attempt_at = ?1 WHERE next_attempt_at IS NOT NULL",
        [now],
    )?)
}

/// Orders whose next call is due, the longest waiting first, and how long until one more is.
///
/// Nothing is put off for longer than [`TAKEOVER`], so what is due later was written before the clock was
/// set back, and is due now.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn due(
    tx: &Transaction<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<(Vec<OrderId>, Option<Duration>), DbError> {
    let due = tx
        .prepare_cached(
            "SELECT id FROM orders WHERE next_attempt_at <= ?1 OR next_attempt_at > ?3
             ORDER BY next_attempt_at LIMIT ?2",
        )?
        .query_map((now, limit, now.after(TAKEOVER)), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let next: Option<Timestamp> = tx
        .prepare_cached("SELECT min(next_attempt_at) FROM orders WHERE next_attempt_at > ?1")?
        .query_row([now], |row| row.get(0))?;
    Ok((due, next.map(|next| next.since(now))))
}

/// The sealed card token and the payment method of an order that is not charged yet.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn card(tx: &Transaction<'_>, id: OrderId) -> Result<Option<SealedCard>, DbError> {
    let row = tx
        .prepare_cached(
            "SELECT payment_method, sealed_card, idempotency_key FROM orders WHERE id = ?1",
        )?
        .query_row([id], |row| {
            Ok(SealedCard {
                payment_method: row.get(0)?,
                sealed: row.get::<_, Option<_>>(1)?.unwrap_or_default(),
                idempotency_key: row.get(2)?,
            })
        });
    Ok(row.optional()?)
}

/// What is needed to charge, beside the order.
#[derive(Clone, Debug)]
pub(crate) struct SealedCard {
    pub(crate) payment_method: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) idempotency_key: String,
}

/// One order.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn order(tx: &Transaction<'_>, id: OrderId) -> Result<Option<Order>, DbError> {
    let mut select = tx.prepare_cached(concat!(
        "SELECT id, customer_id, total_amount, payment_id, state, reason, version, step_since, ",
        "attempts, created_at FROM orders WHERE id = ?1"
    ))?;
    let Some(mut order) = select.query_row([id], order_row).optional()? else {
        return Ok(None);
    };
    order.items = items(tx, id)?;
    Ok(Some(order))
}

/// A customer's orders before `before`, the latest first.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn orders_of(
    tx: &Transaction<'_>,
    customer: UserId,
    before: i64,
    limit: u32,
) -> Result<Vec<Order>, DbError> {
    let mut select = tx.prepare_cached(concat!(
        "SELECT id, customer_id, total_amount, payment_id, state, reason, version, step_since, ",
        "attempts, created_at FROM orders WHERE customer_id = ?1 AND id < ?2 ",
        "ORDER BY id DESC LIMIT ?3"
    ))?;
    let rows = select.query_map((customer, before, limit), order_row)?;
    let mut orders: Vec<Order> = rows.collect::<Result<_, _>>()?;
    for order in &mut orders {
        order.items = items(tx, order.id)?;
    }
    Ok(orders)
}

fn order_row(row: &Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order {
        id: row.get(0)?,
        customer_id: row.get(1)?,
        items: Vec::new(),
        total: row.get(2)?,
        payment_id: row.get(3)?,
        state: row.get(4)?,
        reason: row.get(5)?,
        version: row.get(6)?,
        step_since: row.get(7)?,
        attempts: row.get(8)?,
        created_at: row.get(9)?,
    })
}

fn items(tx: &Transaction<'_>, order: OrderId) -> Result<Vec<Item>, DbError> {
    let mut select = tx.prepare_cached(
        "SELECT product_id, quantity, unit_price FROM order_items WHERE order_id = ?1 ORDER BY line",
    )?;
    let rows = select.query_map([order], |row| {
        Ok(Item {
            product_id: row.get(0)?,
            quantity: row.get(1)?,
            unit_price: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.word().into())
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// When another replica takes an order up whose step was begun here: longer than a call may take, and than the
/// waits between calls.
const TAKEOVER: Duration = Duration::from_secs(6);

#[cfg(test)]
mod tests {
    use msf_core::clock::WallClock;
    use rusqlite::Connection;

    use super::*;
    use crate::inventory::domain::Line;

    #[test]
    fn an_order_is_due_when_the_clock_was_set_back() {
        let mut connection = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            connection.execute_batch(migration).unwrap();
        }
        let tx = connection.transaction().unwrap();
        let new = NewOrder {
            customer_id: UserId::try_from(1).unwrap(),
            lines: vec![Line {
                product_id: 1.try_into().unwrap(),
                quantity: 1,
            }],
            payment_method: "card".to_owned(),
            sealed_card: Vec::new(),
            idempotency_key: "key".to_owned(),
            fingerprint: Vec::new(),
        };
        let back = Timestamp::now(WallClock::system());
        let before = back.after(Duration::from_secs(3_600));
        create(&tx, &new, before).unwrap();

        assert_eq!(due(&tx, before, 9).unwrap(), (vec![], Some(TAKEOVER)));
        let (orders, _) = due(&tx, back, 9).unwrap();
        assert_eq!(orders.len(), 1);
    }
}
