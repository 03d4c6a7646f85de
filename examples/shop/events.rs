//! What happened, written in the transaction in which it happened.
//!
//! A row and what it tells of are committed together, so nothing is told that did not happen and
//! nothing that happened stays untold. Whoever delivers them sets `published_at`.

use rusqlite::Transaction;
use serde::Serialize;
use uuid::Uuid;

use crate::{db::DbError, timestamp::Timestamp};

/// The table, for the migrations of a service. Ids are UUIDs of version 7: they sort by time.
pub(crate) const SCHEMA: &str = "
CREATE TABLE events (
    id           TEXT PRIMARY KEY,
    type         TEXT NOT NULL,
    subject      TEXT NOT NULL,
    payload      TEXT NOT NULL CHECK (json_valid(payload)),
    created_at   INTEGER NOT NULL,
    published_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX events_unpublished ON events (id) WHERE published_at IS NULL;
";

/// Records an event of a type such as `order.created` about a subject such as `order/42`.
///
/// # Errors
///
/// [`DbError`] when the row cannot be written; let the transaction fail with it.
pub(crate) fn record(
    tx: &Transaction<'_>,
    kind: &'static str,
    subject: &str,
    payload: &impl Serialize,
    at: Timestamp,
) -> Result<(), DbError> {
    let payload = serde_json::to_string(payload)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    tx.prepare_cached(
        "INSERT INTO events (id, type, subject, payload, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((Uuid::now_v7().to_string(), kind, subject, payload, at))?;
    Ok(())
}
