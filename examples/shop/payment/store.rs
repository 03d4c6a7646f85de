//! The payments' database.
//!
//! `charges` says what was answered, one row per order; `ledger` is the money that moved, which can be one
//! charge and one refund per order and nothing else.

use rusqlite::{
    OptionalExtension, Row, Transaction,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    card::Card,
    domain::{Charge, Charged, Payment, Status},
};
use crate::{
    db::DbError,
    events,
    ids::{OrderId, UserId},
    money::CURRENCY,
    timestamp::Timestamp,
};

/// The schema.
pub(crate) const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE charges (
    order_id       INTEGER PRIMARY KEY,
    status         TEXT NOT NULL CHECK (status IN ('charged', 'declined', 'refunded', 'void')),
    payment_id     TEXT UNIQUE,
    customer_id    INTEGER,
    amount         INTEGER CHECK (amount >= 0),
    currency       TEXT,
    payment_method TEXT,
    card_brand     TEXT,
    card_last4     TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    -- Called off with nothing charged is the only row that knows nothing of a charge.
    CHECK ((status = 'void') = (payment_id IS NULL))
) STRICT;
CREATE INDEX charges_customer ON charges (customer_id, order_id);
CREATE TABLE ledger (
    order_id   INTEGER NOT NULL REFERENCES charges,
    kind       TEXT NOT NULL CHECK (kind IN ('charge', 'refund')),
    amount     INTEGER NOT NULL CHECK (amount >= 0),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, kind)
) STRICT;
",
    events::SCHEMA,
];

/// The stored answer to a charge, if there is one.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn answered(tx: &Transaction<'_>, charge: &Charge) -> Result<Option<Charged>, DbError> {
    let Some((status, known)) = row(tx, charge.order_id)? else {
        return Ok(None);
    };
    let Some(known) = known else {
        return Ok(Some(Charged::CalledOff));
    };
    let same = known.customer_id == charge.customer_id
        && known.amount == charge.amount
        && known.payment_method == charge.payment_method
        && known.card == charge.card;
    Ok(Some(match status {
        _ if !same => Charged::Mismatch,
        // Money that was given back is not taken again.
        Status::Refunded | Status::Void => Charged::CalledOff,
        Status::Charged | Status::Declined => Charged::Before {
            payment_id: known.payment_id,
            status,
        },
    }))
}

/// Charges an order, once.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn charge(
    tx: &Transaction<'_>,
    charge: &Charge,
    accepted: bool,
    now: Timestamp,
) -> Result<Charged, DbError> {
    if let Some(before) = answered(tx, charge)? {
        return Ok(before);
    }
    let payment_id = format!("pay_{}", Uuid::now_v7().simple());
    let status = if accepted {
        Status::Charged
    } else {
        Status::Declined
    };
    tx.prepare_cached("INSERT INTO charges VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)")?
        .execute((
            charge.order_id,
            status,
            &payment_id,
            charge.customer_id,
            charge.amount,
            CURRENCY,
            &charge.payment_method,
            &charge.card.brand,
            &charge.card.last4,
            now,
        ))?;
    if accepted {
        book(tx, charge.order_id, "charge", now)?;
    }
    let payload = json!({
        "order_id": charge.order_id,
        "payment_id": payment_id,
        "amount": charge.amount,
        "status": status,
        "timestamp": now,
    });
    let subject = format!("order/{}", charge.order_id);
    events::record(tx, "payment.processed", &subject, &payload, now)?;
    Ok(Charged::New { payment_id, status })
}

/// Gives the money back, once; with nothing charged, makes sure that nothing will be.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn refund(
    tx: &Transaction<'_>,
    order: OrderId,
    now: Timestamp,
) -> Result<Status, DbError> {
    match row(tx, order)? {
        None => {
            tx.prepare_cached(
                "INSERT INTO charges (order_id, status, created_at, updated_at)
                 VALUES (?1, 'void', ?2, ?2)",
            )?
            .execute((order, now))?;
            Ok(Status::Void)
        }
        Some((Status::Charged, _)) => {
            tx.prepare_cached(
                "UPDATE charges SET status = 'refunded', updated_at = ?2 WHERE order_id = ?1",
            )?
            .execute((order, now))?;
            book(tx, order, "refund", now)?;
            Ok(Status::Refunded)
        }
        Some((status, _)) => Ok(status),
    }
}

/// Moves money, which the primary key allows once for each kind.
fn book(
    tx: &Transaction<'_>,
    order: OrderId,
    kind: &'static str,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.prepare_cached(
        "INSERT INTO ledger SELECT order_id, ?2, amount, ?3 FROM charges WHERE order_id = ?1",
    )?
    .execute((order, kind, now))?;
    Ok(())
}

/// A payment by its id.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn payment(tx: &Transaction<'_>, id: &str) -> Result<Option<Payment>, DbError> {
    let mut select = tx.prepare_cached(concat!(
        "SELECT status, payment_id, order_id, customer_id, amount, currency, payment_method, ",
        "card_brand, card_last4, created_at FROM charges WHERE payment_id = ?1"
    ))?;
    Ok(select.query_row([id], payment_row).optional()?)
}

/// The payments of one order, or all that follow `after`; of one customer, unless `customer` is `None`.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn payments(
    tx: &Transaction<'_>,
    customer: Option<UserId>,
    order: Option<OrderId>,
    after: i64,
    limit: u32,
) -> Result<Vec<Payment>, DbError> {
    let mut select = tx.prepare_cached(concat!(
        "SELECT status, payment_id, order_id, customer_id, amount, currency, payment_method, ",
        "card_brand, card_last4, created_at FROM charges WHERE payment_id IS NOT NULL ",
        "AND (?1 IS NULL OR customer_id = ?1) AND (?2 IS NULL OR order_id = ?2) ",
        "AND order_id > ?3 ORDER BY order_id LIMIT ?4"
    ))?;
    let rows = select.query_map((customer, order, after, limit), payment_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn row(tx: &Transaction<'_>, order: OrderId) -> Result<Option<(Status, Option<Payment>)>, DbError> {
    let mut select = tx.prepare_cached(concat!(
        "SELECT status, payment_id, order_id, customer_id, amount, currency, payment_method, ",
        "card_brand, card_last4, created_at FROM charges WHERE order_id = ?1"
    ))?;
    let row = select.query_row([order], |row| {
        Ok(match row.get(0)? {
            Status::Void => (Status::Void, None),
            status => (status, Some(payment_row(row)?)),
        })
    });
    Ok(row.optional()?)
}

fn payment_row(row: &Row<'_>) -> rusqlite::Result<Payment> {
    Ok(Payment {
        status: row.get(0)?,
        payment_id: row.get(1)?,
        order_id: row.get(2)?,
        customer_id: row.get(3)?,
        amount: row.get(4)?,
        currency: row.get(5)?,
        payment_method: row.get(6)?,
        card: Card {
            brand: row.get(7)?,
            last4: row.get(8)?,
        },
        created_at: row.get(9)?,
    })
}

impl ToSql for Status {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Charged => "charged",
            Self::Declined => "declined",
            Self::Refunded => "refunded",
            Self::Void => "void",
        }))
    }
}

impl FromSql for Status {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "charged" => Ok(Self::Charged),
            "declined" => Ok(Self::Declined),
            "refunded" => Ok(Self::Refunded),
            "void" => Ok(Self::Void),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}
