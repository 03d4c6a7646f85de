//! What the databases say, as plain values.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value;

/// A database that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be audited: {source}", path.display())]
pub(crate) struct AuditError {
    path: PathBuf,
    source: rusqlite::Error,
}

/// All four databases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) products: BTreeMap<i64, Product>,
    pub(crate) reservations: BTreeMap<i64, Reservation>,
    pub(crate) orders: BTreeMap<i64, Order>,
    pub(crate) charges: BTreeMap<i64, Charge>,
    pub(crate) ledger: Vec<Movement>,
    pub(crate) users: Vec<i64>,
    /// Type and subject of every event of every service.
    pub(crate) events: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Product {
    pub(crate) initial: i64,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    pub(crate) sold: i64,
}

/// Product, quantity, unit price.
pub(crate) type Line = (i64, i64, Option<i64>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Reservation {
    pub(crate) state: String,
    pub(crate) lines: Vec<Line>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    pub(crate) state: String,
    pub(crate) total: Option<i64>,
    pub(crate) payment_id: Option<String>,
    pub(crate) customer: i64,
    pub(crate) holds_card: bool,
    pub(crate) lines: Vec<Line>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Charge {
    pub(crate) status: String,
    pub(crate) payment_id: Option<String>,
    pub(crate) customer: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Movement {
    pub(crate) order: i64,
    pub(crate) kind: String,
    pub(crate) amount: i64,
}

impl Order {
    /// Paid and handed out.
    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(self.state.as_str(), "confirmed" | "shipped" | "delivered")
    }

    /// Nothing more is going to happen by itself.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_confirmed() || self.state == "out_of_stock" || self.state.starts_with("undone:")
    }
}

impl Books {
    /// What was taken and not given back.
    pub(crate) fn revenue(&self) -> i64 {
        let signed = self.ledger.iter().map(|movement| {
            if movement.kind == "charge" {
                movement.amount
            } else {
                -movement.amount
            }
        });
        signed.sum()
    }
}

pub(super) fn read(dir: &Path) -> Result<Books, AuditError> {
    let mut books = Books::default();
    in_database(dir, "inventory.db", |db| {
        books.products = rows(
            db,
            "SELECT id, initial, on_hand, reserved, sold FROM products",
            |row| {
                let product = Product {
                    initial: row.get(1)?,
                    on_hand: row.get(2)?,
                    reserved: row.get(3)?,
                    sold: row.get(4)?,
                };
                Ok((row.get(0)?, product))
            },
        )?;
        books.reservations = rows(
            db,
            "SELECT order_id, state, lines FROM reservations",
            |row| {
                let reservation = Reservation {
                    state: row.get(1)?,
                    lines: lines_of(&row.get::<_, String>(2)?),
                };
                Ok((row.get(0)?, reservation))
            },
        )?;
        Ok(())
    })?;
    in_database(dir, "orders.db", |db| {
        books.orders = rows(
            db,
            "SELECT id, state, total_amount, payment_id, customer_id, sealed_card IS NOT NULL FROM orders",
            |row| {
                let order = Order {
                    state: row.get(1)?,
                    total: row.get(2)?,
                    payment_id: row.get(3)?,
                    customer: row.get(4)?,
                    holds_card: row.get(5)?,
                    lines: Vec::new(),
                };
                Ok((row.get(0)?, order))
            },
        )?;
        let items: Vec<(i64, Line)> = rows(
            db,
            "SELECT order_id, product_id, quantity, unit_price FROM order_items ORDER BY order_id, line",
            |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?))),
        )?;
        for (order, line) in items {
            books.orders.entry(order).or_default().lines.push(line);
        }
        read_events(db, &mut books.events)
    })?;
    in_database(dir, "payments.db", |db| {
        books.charges = rows(
            db,
            "SELECT order_id, status, payment_id, customer_id FROM charges",
            |row| {
                let charge = Charge {
                    status: row.get(1)?,
                    payment_id: row.get(2)?,
                    customer: row.get(3)?,
                };
                Ok((row.get(0)?, charge))
            },
        )?;
        books.ledger = rows(db, "SELECT order_id, kind, amount FROM ledger", |row| {
            Ok(Movement {
                order: row.get(0)?,
                kind: row.get(1)?,
                amount: row.get(2)?,
            })
        })?;
        read_events(db, &mut books.events)
    })?;
    in_database(dir, "users.db", |db| {
        books.users = rows(db, "SELECT id FROM users", |row| row.get(0))?;
        read_events(db, &mut books.events)
    })?;
    Ok(books)
}

/// Opens a file that has to be there, to read and nothing else.
fn in_database(
    dir: &Path,
    name: &str,
    read: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<(), AuditError> {
    let path = dir.join(name);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(&path, flags)
        .and_then(|db| read(&db))
        .map_err(|source| AuditError { path, source })
}

fn rows<T, C: FromIterator<T>>(
    db: &Connection,
    sql: &str,
    row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<C> {
    db.prepare(sql)?.query_map([], row)?.collect()
}

fn read_events(db: &Connection, events: &mut Vec<(String, String)>) -> rusqlite::Result<()> {
    let found: Vec<_> = rows(db, "SELECT type, subject FROM events", |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    events.extend(found);
    Ok(())
}

/// `[{"product_id":1,"quantity":2,"unit_price":3}]`; what does not read so is a product of number 0, which no
/// rule lets pass.
fn lines_of(json: &str) -> Vec<Line> {
    let number = |line: &Value, name: &str| line.get(name).and_then(Value::as_i64);
    let lines: Vec<Value> = serde_json::from_str(json).unwrap_or_else(|_| vec![Value::Null]);
    lines
        .iter()
        .map(|line| {
            (
                number(line, "product_id").unwrap_or(0),
                number(line, "quantity").unwrap_or(0),
                number(line, "unit_price"),
            )
        })
        .collect()
}
