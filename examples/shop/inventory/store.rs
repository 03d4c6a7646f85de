//! The inventory's database.
//!
//! Of each product: `initial = on_hand + sold`, and `reserved` is the part of `on_hand` that orders have put
//! aside. The constraints hold these in every state that can be committed, whatever the code does.

use rusqlite::{OptionalExtension, Row, Transaction};

use super::{
    catalogue,
    domain::{Committed, Line, PricedLine, Product, Released, Reserved, Shortage},
};
use crate::{
    db::DbError,
    ids::{OrderId, ProductId},
    money::CURRENCY,
    timestamp::Timestamp,
};

/// The schema.
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE products (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    unit_price INTEGER NOT NULL CHECK (unit_price > 0),
    currency   TEXT NOT NULL,
    initial    INTEGER NOT NULL,
    on_hand    INTEGER NOT NULL CHECK (on_hand >= 0),
    reserved   INTEGER NOT NULL DEFAULT 0 CHECK (reserved BETWEEN 0 AND on_hand),
    sold       INTEGER NOT NULL DEFAULT 0 CHECK (sold >= 0),
    CHECK (initial = on_hand + sold)
) STRICT;
-- One row per order that was ever named here. A row that is not 'reserved' is final and keeps late
-- copies of a reservation out.
CREATE TABLE reservations (
    order_id   INTEGER PRIMARY KEY,
    state      TEXT NOT NULL CHECK (state IN ('reserved', 'committed', 'refused', 'released')),
    lines      TEXT NOT NULL CHECK (json_valid(lines)),
    shortages  TEXT CHECK (json_valid(shortages)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
"];

/// Fills an empty catalogue. Safe when several replicas start together.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn seed(tx: &Transaction<'_>) -> Result<(), DbError> {
    let mut insert = tx.prepare(
        "INSERT OR IGNORE INTO products (id, name, unit_price, currency, initial, on_hand)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
    )?;
    for (id, (name, price, pieces)) in (1_i64..).zip(catalogue::PRODUCTS) {
        insert.execute((id, name, price, CURRENCY, pieces))?;
    }
    Ok(())
}

/// Products after `after`, at most `limit` of them.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn products(
    tx: &Transaction<'_>,
    after: i64,
    limit: u32,
) -> Result<Vec<Product>, DbError> {
    let mut select = tx.prepare_cached(concat!(
        "SELECT id, name, unit_price, currency, on_hand - reserved FROM products ",
        "WHERE id > ?1 ORDER BY id LIMIT ?2"
    ))?;
    let rows = select.query_map((after, limit), product_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One product.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn product(tx: &Transaction<'_>, id: ProductId) -> Result<Option<Product>, DbError> {
    let mut select = tx.prepare_cached(
        "SELECT id, name, unit_price, currency, on_hand - reserved FROM products WHERE id = ?1",
    )?;
    Ok(select.query_row([id], product_row).optional()?)
}

fn product_row(row: &Row<'_>) -> rusqlite::Result<Product> {
    Ok(Product {
        id: row.get(0)?,
        name: row.get(1)?,
        unit_price: row.get(2)?,
        currency: row.get(3)?,
        available: row.get(4)?,
    })
}

/// Puts all lines aside, or none.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn reserve(
    tx: &Transaction<'_>,
    order: OrderId,
    lines: &[Line],
    now: Timestamp,
) -> Result<Reserved, DbError> {
    if let Some(known) = reservation(tx, order)? {
        return Ok(known.answer(lines));
    }
    let mut priced = Vec::with_capacity(lines.len());
    let mut shortages = Vec::new();
    for line in lines {
        match product(tx, line.product_id)? {
            Some(product) if product.available >= line.quantity => priced.push(PricedLine {
                product_id: line.product_id,
                quantity: line.quantity,
                unit_price: product.unit_price,
            }),
            found => shortages.push(Shortage {
                product_id: line.product_id,
                available: found.map(|product| product.available),
            }),
        }
    }
    if !shortages.is_empty() {
        insert(
            tx,
            order,
            "refused",
            &to_json(lines)?,
            Some(&to_json(&shortages)?),
            now,
        )?;
        return Ok(Reserved::Short(shortages));
    }
    for line in lines {
        tx.prepare_cached("UPDATE products SET reserved = reserved + ?2 WHERE id = ?1")?
            .execute((line.product_id, line.quantity))?;
    }
    insert(tx, order, "reserved", &to_json(&priced)?, None, now)?;
    Ok(Reserved::Held(priced))
}

/// Gives back what was put aside; with nothing put aside, makes sure that nothing will be.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn release(
    tx: &Transaction<'_>,
    order: OrderId,
    now: Timestamp,
) -> Result<Released, DbError> {
    let Some(known) = reservation(tx, order)? else {
        insert(tx, order, "released", "[]", None, now)?;
        return Ok(Released::Done);
    };
    match known {
        Known::Reserved(lines) => {
            for line in lines {
                tx.prepare_cached("UPDATE products SET reserved = reserved - ?2 WHERE id = ?1")?
                    .execute((line.product_id, line.quantity))?;
            }
            set_state(tx, order, "released", now)?;
            Ok(Released::Done)
        }
        Known::Refused(_) | Known::Released => Ok(Released::Done),
        Known::Committed(_) => Ok(Released::Committed),
    }
}

/// Takes what was put aside out of the house.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn commit(
    tx: &Transaction<'_>,
    order: OrderId,
    now: Timestamp,
) -> Result<Committed, DbError> {
    match reservation(tx, order)? {
        Some(Known::Reserved(lines)) => {
            for line in lines {
                tx.prepare_cached(
                    "UPDATE products
                     SET reserved = reserved - ?2, on_hand = on_hand - ?2, sold = sold + ?2
                     WHERE id = ?1",
                )?
                .execute((line.product_id, line.quantity))?;
            }
            set_state(tx, order, "committed", now)?;
            Ok(Committed::Done)
        }
        Some(Known::Committed(_)) => Ok(Committed::Done),
        Some(Known::Refused(_) | Known::Released) | None => Ok(Committed::NotReserved),
    }
}

/// What is known of an order here.
enum Known {
    Reserved(Vec<PricedLine>),
    Committed(Vec<PricedLine>),
    Refused(Vec<Shortage>),
    Released,
}

impl Known {
    fn answer(self, asked: &[Line]) -> Reserved {
        match self {
            Self::Reserved(lines) | Self::Committed(lines) => {
                let same = lines.len() == asked.len()
                    && lines.iter().zip(asked).all(|(held, asked)| {
                        (held.product_id, held.quantity) == (asked.product_id, asked.quantity)
                    });
                if same {
                    Reserved::Held(lines)
                } else {
                    Reserved::Mismatch
                }
            }
            Self::Refused(shortages) => Reserved::Short(shortages),
            Self::Released => Reserved::CalledOff,
        }
    }
}

fn reservation(tx: &Transaction<'_>, order: OrderId) -> Result<Option<Known>, DbError> {
    let row = tx
        .prepare_cached("SELECT state, lines, shortages FROM reservations WHERE order_id = ?1")?
        .query_row([order], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, Option<String>>(2)?,
            ))
        })
        .optional()?;
    let Some((state, lines, shortages)) = row else {
        return Ok(None);
    };
    Ok(Some(match state.as_str() {
        "reserved" => Known::Reserved(from_json(&lines)?),
        "committed" => Known::Committed(from_json(&lines)?),
        "refused" => Known::Refused(from_json(shortages.as_deref().unwrap_or("[]"))?),
        _ => Known::Released,
    }))
}

fn insert(
    tx: &Transaction<'_>,
    order: OrderId,
    state: &str,
    lines: &str,
    shortages: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.prepare_cached(
        "INSERT INTO reservations (order_id, state, lines, shortages, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
    )?
    .execute((order, state, lines, shortages, now))?;
    Ok(())
}

fn set_state(
    tx: &Transaction<'_>,
    order: OrderId,
    state: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.prepare_cached("UPDATE reservations SET state = ?2, updated_at = ?3 WHERE order_id = ?1")?
        .execute((order, state, now))?;
    Ok(())
}

fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, DbError> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()).into())
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
            .into()
    })
}
