//! Reading what a request carries beside its path.

use std::time::Duration;

use http::{HeaderMap, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use msf_core::{
    name::{InstanceId, ServiceName},
    problem::{Code, Problem},
    server::Body,
};

use crate::{
    model::{Cursor, Instance, Lease},
    wire::{LEASE_HEADER, epoch},
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

/// Reads an instance and checks that it is the one that the path names.
pub(super) async fn instance(
    headers: &HeaderMap,
    body: Body,
    service: &ServiceName,
    id: &InstanceId,
) -> Result<Instance, Problem> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let essence = media_type.and_then(|text| text.split(';').next());
    if !essence.is_some_and(|text| text.trim().eq_ignore_ascii_case("application/json")) {
        return Err(
            Problem::new(Code::UnsupportedMediaType).with_detail("an instance is application/json")
        );
    }
    let bytes = Limited::new(body, BODY_MAX)
        .collect()
        .await
        .map_err(Problem::from_error)?
        .to_bytes();
    let instance: Instance = serde_json::from_slice(&bytes).map_err(|error| {
        // serde_json quotes names of members and our own rules, both of which the caller sent or may know.
        let code = if error.is_data() {
            Code::ValidationFailed
        } else {
            Code::BadRequest
        };
        Problem::new(code).with_detail(error.to_string())
    })?;
    if instance.service != *service || instance.id != *id {
        return Err(Problem::new(Code::ValidationFailed)
            .with_detail("the path names another instance than the body"));
    }
    Ok(instance)
}

const TTL: Duration = Duration::from_secs(15);
const BODY_MAX: usize = 64 * 1024;
