//! Reading what a request carries beside its path.

use std::time::Duration;

use http::{HeaderMap, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use msf_core::{
    name::{InstanceId, ServiceName},
    problem::{Code, Problem},
    server::Body,
};
use serde::de::DeserializeOwned;

use crate::{
    model::{Cursor, Instance, Lease, Status},
    wire::{LEASE_HEADER, RenewOne, StatusOf, epoch},
};

/// The first value of a parameter of the query.
fn parameter<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let query = parts.uri.query()?;
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// A number of milliseconds in the query.
fn millis(parts: &Parts, name: &str) -> Result<Option<Duration>, Problem> {
    let Some(text) = parameter(parts, name) else {
        return Ok(None);
    };
    let ms = text.parse().map_err(|_not_a_number| {
        Problem::new(Code::BadRequest).with_detail(format!("{name} must be whole milliseconds"))
    })?;
    Ok(Some(Duration::from_millis(ms)))
}

/// Where the caller is in the history, and for how long it wants to wait for more.
pub(super) fn waiting(parts: &Parts) -> Result<Option<(Cursor, Duration)>, Problem> {
    let Some(after) = parameter(parts, "after") else {
        return Ok(None);
    };
    let after = after.parse().map_err(|_not_a_number| {
        Problem::new(Code::BadRequest).with_detail("after must be a revision")
    })?;
    let epoch = parameter(parts, "epoch").and_then(epoch::parse);
    let epoch = epoch.ok_or_else(|| {
        Problem::new(Code::BadRequest).with_detail("after needs the epoch that it belongs to")
    })?;
    let wait = millis(parts, "wait_ms")?.unwrap_or_default();
    Ok(Some((Cursor::new(epoch, after), wait)))
}

/// Whether the caller has the list of the position that it names, so that the changes are enough.
pub(super) fn takes_changes(parts: &Parts) -> bool {
    parameter(parts, "delta") == Some("1")
}

pub(super) fn ttl(parts: &Parts) -> Result<Duration, Problem> {
    Ok(millis(parts, "ttl_ms")?.unwrap_or(TTL))
}

pub(super) fn lease(
    headers: &HeaderMap,
    service: ServiceName,
    id: InstanceId,
) -> Result<Lease, Problem> {
    let token = headers
        .get(LEASE_HEADER)
        .and_then(|token| token.to_str().ok());
    let token = token.ok_or_else(|| {
        Problem::new(Code::BadRequest).with_detail(format!("the header {LEASE_HEADER} is required"))
    })?;
    Ok(Lease::new(service, id, token, TTL))
}

/// Whether the reader takes a stream of events. One that takes anything gets the simple answer.
pub(super) fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// The position up to which the reader of a stream has read. What is none is a position that is not known.
pub(super) fn last_event(headers: &HeaderMap) -> Option<Cursor> {
    let id = headers.get("last-event-id")?;
    let position = id.to_str().ok().and_then(|id| id.split_once(':'));
    let cursor = position.and_then(|(epoch, revision)| {
        Some(Cursor::new(epoch::parse(epoch)?, revision.parse().ok()?))
    });
    Some(cursor.unwrap_or(Cursor::new(0, 0)))
}

/// Reads several leases; `None` in the place of one that is not understood.
pub(super) async fn leases(headers: &HeaderMap, body: Body) -> Result<Vec<Option<Lease>>, Problem> {
    let items: Vec<serde_json::Value> = content(headers, body, LEASES_LEN_MAX).await?;
    if items.len() > LEASES_MAX {
        return Err(Problem::new(Code::ValidationFailed)
            .with_detail(format!("at most {LEASES_MAX} leases are renewed at once")));
    }
    let read = |item| {
        let one: RenewOne<'_> = serde_json::from_value(item).ok()?;
        let (service, id) = (one.service.into_owned(), one.id.into_owned());
        Some(Lease::new(service, id, one.lease.into_owned(), TTL))
    };
    Ok(items.into_iter().map(read).collect())
}

pub(super) async fn status(headers: &HeaderMap, body: Body) -> Result<Status, Problem> {
    let said: StatusOf = content(headers, body, STATUS_LEN_MAX).await?;
    Ok(said.status)
}

/// Reads an instance and checks that it is the one that the path names.
pub(super) async fn instance(
    headers: &HeaderMap,
    body: Body,
    service: &ServiceName,
    id: &InstanceId,
) -> Result<Instance, Problem> {
    let instance: Instance = content(headers, body, INSTANCE_LEN_MAX).await?;
    if instance.service != *service || instance.id != *id {
        return Err(Problem::new(Code::ValidationFailed)
            .with_detail("the path names another instance than the body"));
    }
    Ok(instance)
}

/// Reads a body of JSON.
async fn content<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<T, Problem> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let essence = media_type.and_then(|text| text.split(';').next());
    if !essence.is_some_and(|text| text.trim().eq_ignore_ascii_case("application/json")) {
        return Err(
            Problem::new(Code::UnsupportedMediaType).with_detail("the body is application/json")
        );
    }
    let bytes = Limited::new(body, bytes_max)
        .collect()
        .await
        .map_err(Problem::from_error)?
        .to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| {
        // serde_json quotes names of members and our own rules, both of which the caller sent or may know.
        let code = if error.is_data() {
            Code::ValidationFailed
        } else {
            Code::BadRequest
        };
        Problem::new(code).with_detail(error.to_string())
    })
}

const TTL: Duration = Duration::from_secs(15);
const INSTANCE_LEN_MAX: usize = 64 * 1024;
const STATUS_LEN_MAX: usize = 1024;
pub(super) const LEASES_MAX: usize = 1_000;
const LEASES_LEN_MAX: usize = 512 * 1024;
