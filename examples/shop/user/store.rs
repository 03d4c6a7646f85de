//! The users' database.

use msf_core::config::Secret;
use rusqlite::{
    OptionalExtension, Row, Transaction,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
use serde_json::json;

use super::domain::{Email, User};
use crate::{db::DbError, events, identity::Role, ids::UserId, timestamp::Timestamp};

/// The schema. Ids are never given twice: a token of a deleted user must not become another's.
pub(crate) const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE users (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    email      TEXT NOT NULL UNIQUE,
    password   TEXT NOT NULL CHECK (password LIKE '$argon2id$%'),
    role       TEXT NOT NULL CHECK (role IN ('customer', 'staff')),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
",
    events::SCHEMA,
];

/// Adds a user; `None` when the address is taken.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn create(
    tx: &Transaction<'_>,
    name: &str,
    email: &Email,
    hash: &str,
    role: Role,
    now: Timestamp,
) -> Result<Option<UserId>, DbError> {
    let added = tx
        .prepare_cached(
            "INSERT INTO users (name, email, password, role, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT (email) DO NOTHING RETURNING id",
        )?
        .query_row((name, email.as_str(), hash, role, now), |row| row.get(0))
        .optional()?;
    let Some(id): Option<UserId> = added else {
        return Ok(None);
    };
    let payload = json!({ "user_id": id, "name": name, "email": email, "timestamp": now });
    events::record(tx, "user.registered", &format!("user/{id}"), &payload, now)?;
    Ok(Some(id))
}

/// Whether there are no users yet.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn is_empty(tx: &Transaction<'_>) -> Result<bool, DbError> {
    Ok(
        tx.query_row("SELECT NOT EXISTS (SELECT 1 FROM users)", [], |row| {
            row.get(0)
        })?,
    )
}

/// A user by its id.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn by_id(tx: &Transaction<'_>, id: UserId) -> Result<Option<User>, DbError> {
    let mut select = tx.prepare_cached(
        "SELECT id, name, email, password, role, created_at FROM users WHERE id = ?1",
    )?;
    Ok(select.query_row([id], user_row).optional()?)
}

/// A user by its address.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn by_email(tx: &Transaction<'_>, email: &Email) -> Result<Option<User>, DbError> {
    let mut select = tx.prepare_cached(
        "SELECT id, name, email, password, role, created_at FROM users WHERE email = ?1",
    )?;
    Ok(select.query_row([email.as_str()], user_row).optional()?)
}

/// Users after `after`, at most `limit` of them.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn users(tx: &Transaction<'_>, after: i64, limit: u32) -> Result<Vec<User>, DbError> {
    let mut select = tx.prepare_cached(
        "SELECT id, name, email, password, role, created_at FROM users
         WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows = select.query_map((after, limit), user_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is to change of a user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) name: Option<String>,
    pub(crate) email: Option<Email>,
    pub(crate) hash: Option<String>,
}

/// Changes a user whose password still is `hash`; what came of it.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn update(
    tx: &Transaction<'_>,
    read: &User,
    changes: &Changes,
    now: Timestamp,
) -> Result<Updated, DbError> {
    let changed = tx
        .prepare_cached(
            "UPDATE users SET name = coalesce(?3, name), email = coalesce(?4, email),
                 password = coalesce(?5, password), updated_at = ?6
             WHERE id = ?1 AND password = ?2",
        )?
        .execute((
            read.id,
            read.password.expose(),
            &changes.name,
            changes.email.as_ref().map(Email::as_str),
            &changes.hash,
            now,
        ))
        .map_err(DbError::from);
    match changed {
        Ok(0) => Ok(Updated::Gone),
        Ok(_) => Ok(by_id(tx, read.id)?.map_or(Updated::Gone, Updated::Done)),
        Err(error) if error.is_duplicate() => Ok(Updated::EmailTaken),
        Err(error) => Err(error),
    }
}

/// What came of an update.
#[derive(Clone, Debug)]
pub(crate) enum Updated {
    Done(User),
    EmailTaken,
    /// The user was deleted, or its password changed, since it was read.
    Gone,
}

/// Deletes a user; whether there was one.
///
/// # Errors
///
/// [`DbError`].
pub(crate) fn delete(tx: &Transaction<'_>, id: UserId) -> Result<bool, DbError> {
    Ok(tx.execute("DELETE FROM users WHERE id = ?1", [id])? > 0)
}

fn user_row(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        email: Email::stored(row.get(2)?),
        password: Secret::new(row.get(3)?),
        role: row.get(4)?,
        created_at: row.get(5)?,
    })
}

impl ToSql for Role {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
        }))
    }
}

impl FromSql for Role {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "customer" => Ok(Self::Customer),
            "staff" => Ok(Self::Staff),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}
