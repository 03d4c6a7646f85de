//! Answers about one service: at once, after a change, or as a stream.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use msf_core::{
    name::ServiceName,
    problem::{Code, Problem},
    server::{Body, Connection, Phase},
};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    answer::{empty, ok},
    request,
    service::RegistryServer,
    stream,
};
use crate::{
    backend::memory::{Delta, View},
    model::{Authority, Snapshot},
    wire::{DeltaOut, StateOut},
};

pub(super) async fn snapshot(
    server: &RegistryServer,
    service: ServiceName,
    parts: &Parts,
) -> Result<Response<Body>, Problem> {
    let mut answer = read(server, service, parts).await?;
    // The same address is a list or a stream.
    let by = HeaderValue::from_static("accept");
    answer.headers_mut().insert(header::VARY, by);
    Ok(answer)
}

async fn read(
    server: &RegistryServer,
    service: ServiceName,
    parts: &Parts,
) -> Result<Response<Body>, Problem> {
    if request::wants_events(&parts.headers) {
        let place = place(server)?;
        return Ok(stream::events(server, service, parts, place));
    }
    let Some((after, wait)) = request::waiting(parts)? else {
        let view = server.memory.view(&service);
        let tag = tag(&view);
        if is_held(&parts.headers, &tag) {
            return Ok(with_tag(not_modified(), tag));
        }
        return Ok(with_tag(ok(view.json(state)), tag));
    };
    // Who asks for news without waiting takes no place among those who wait.
    let _place = if wait.is_zero() {
        None
    } else {
        Some(place(server)?)
    };
    let change = tokio::select! {
        change = server.memory.view_after(&service, after, wait) => change,
        // Who waits would hold up the end of the server. Not before its listener is closed: until then
        // they would come back at once.
        () = stopping(parts.extensions.get()) => None,
    };
    Ok(match change {
        Some(view) => {
            let changes = request::takes_changes(parts).then(|| view.delta_json(after, delta));
            match changes.flatten() {
                Some(changes) => ok(changes),
                None => with_tag(ok(view.json(state)), tag(&view)),
            }
        }
        None => empty(),
    })
}

fn place(server: &RegistryServer) -> Result<OwnedSemaphorePermit, Problem> {
    let place = Arc::clone(&server.watchers).try_acquire_owned();
    place.map_err(|_taken| {
        Problem::new(Code::Overloaded)
            .with_detail("too many requests wait for a change")
            .with_retry_after(RETRY_AFTER)
    })
}

/// Ends when the server that received the request stops.
pub(super) async fn stopping(connection: Option<&Connection>) {
    match connection {
        Some(connection) => connection.drain().reached(Phase::Stopping).await,
        None => std::future::pending().await,
    }
}

/// The whole state, as it goes over the wire.
pub(super) fn state(snapshot: &Snapshot) -> Bytes {
    encoded(&StateOut::from(snapshot))
}

/// What changed, as it goes over the wire.
pub(super) fn delta(snapshot: &Snapshot, delta: &Delta<'_>) -> Bytes {
    encoded(&DeltaOut::new(snapshot, delta))
}

fn encoded(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value)
        .expect("names, numbers and text are JSON, and a vector takes them all")
        .into()
}

/// Names what a reader holds. How far a list is vouched for is part of it: that can change while the list
/// stays as it is.
fn tag(view: &View) -> HeaderValue {
    let cursor = view.cursor();
    let authority = match view.authority() {
        Authority::Partial => 'p',
        Authority::Complete => 'c',
        Authority::Explicit => 'e',
    };
    let tag = format!(
        "\"{:016x}-{}-{authority}\"",
        cursor.epoch(),
        cursor.revision()
    );
    HeaderValue::try_from(tag).expect("it is made of digits and letters")
}

/// Whether the reader says that it holds what it would be told (RFC 9110 section 13.1.2). Tags without a
/// comma can be told apart by it.
fn is_held(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let Ok(tag) = tag.to_str() else { return false };
    let held = headers.get_all(header::IF_NONE_MATCH).iter();
    held.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag)
}

fn with_tag(mut answer: Response<Body>, tag: HeaderValue) -> Response<Body> {
    answer.headers_mut().insert(header::ETAG, tag);
    answer
}

fn not_modified() -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    // What the whole answer would say (RFC 9110 section 15.4.5).
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

const RETRY_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_every_form_and_no_other_is() {
        let tag = HeaderValue::from_static("\"00ff-3-c\"");
        for (held, expected) in [
            ("\"00ff-3-c\"", true),
            ("W/\"00ff-3-c\"", true),
            ("\"a\", \"00ff-3-c\"", true),
            ("*", true),
            ("00ff-3-c", false),
            ("\"00ff-3-e\"", false),
            ("\"00ff-30-c\"", false),
            ("", false),
            (",,,", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(held));
            assert_eq!(is_held(&headers, &tag), expected, "{held}");
        }
        let mut headers = HeaderMap::new();
        let garbage = HeaderValue::from_bytes(b"\xff").unwrap();
        headers.append(header::IF_NONE_MATCH, garbage);
        assert!(!is_held(&headers, &tag));
        headers.append(header::IF_NONE_MATCH, tag.clone());
        assert!(is_held(&headers, &tag));
    }
}
