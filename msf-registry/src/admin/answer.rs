//! From a request to its answer.

use std::sync::Arc;

use http::{HeaderValue, Method, Request, Response, header};
use msf_core::{
    clock,
    name::ServiceName,
    problem::{Code, Problem},
    server::Body,
};
use serde::Serialize;

use crate::{
    model::{Authority, Health, Instance, Member, Status},
    registry::Registry,
    service::{PickContext, State},
    wire::{epoch, millis},
};

/// The services that this process watches.
#[derive(Serialize)]
struct Services {
    services: Vec<Watched>,
}

#[derive(Serialize)]
struct Watched {
    service: ServiceName,
    instances: usize,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
}

/// One service.
#[derive(Serialize)]
struct Shown<'a> {
    service: &'a ServiceName,
    #[serde(with = "epoch")]
    epoch: u64,
    revision: u64,
    authority: Authority,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    instances: Vec<ShownInstance<'a>>,
}

#[derive(Serialize)]
struct ShownInstance<'a> {
    #[serde(flatten)]
    instance: &'a Instance,
    health: Health,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_status: Option<Status>,
    /// What counts of the two.
    effective_status: Status,
}

impl<'a> From<&'a Member> for ShownInstance<'a> {
    fn from(member: &'a Member) -> Self {
        Self {
            instance: &member.instance,
            health: member.health,
            operator_status: member.operator_status,
            effective_status: member.status(),
        }
    }
}

pub(super) fn answer(registry: &Registry, prefix: &str, request: &Request<Body>) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let answer = path(prefix, request).and_then(|path| dispatch(registry, path, query));
    let mut answer = answer.unwrap_or_else(Problem::into_response);
    if answer.status() == Code::MethodNotAllowed.status() {
        let allowed = HeaderValue::from_static("GET, HEAD");
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    if request.method() == Method::HEAD {
        *answer.body_mut() = Body::empty();
    }
    answer
}

/// What is asked for, after the prefix.
fn path<'a>(prefix: &str, request: &'a Request<Body>) -> Result<&'a str, Problem> {
    let path = request.uri().path();
    let rest = path
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('/'))
        .ok_or_else(|| Problem::new(Code::NotFound))?;
    match *request.method() {
        Method::GET | Method::HEAD => Ok(rest),
        _ => Err(Problem::new(Code::MethodNotAllowed)),
    }
}

fn dispatch(registry: &Registry, path: &str, query: &str) -> Result<Response<Body>, Problem> {
    let segments: Vec<&str> = path.splitn(SEGMENTS_MAX, '/').collect();
    match segments[..] {
        ["services"] => {
            let mut services: Vec<Watched> =
                registry.watched().iter().map(|s| watched(s)).collect();
            services.sort_by(|a, b| a.service.cmp(&b.service));
            json(&Services { services })
        }
        ["services", name] => shown(&*named(registry, name)?),
        ["services", name, "explain"] => {
            let state = named(registry, name)?;
            let key = key(query)?;
            let context = PickContext::new();
            let context = key.map_or(context, |key| context.key(&key));
            json(&state.explain(&context))
        }
        _ => Err(Problem::new(Code::NotFound)),
    }
}

fn named(registry: &Registry, name: &str) -> Result<Arc<State>, Problem> {
    let name = ServiceName::new(name)
        .map_err(|error| Problem::new(Code::BadRequest).with_detail(error.to_string()))?;
    let mut states = registry.watched().into_iter();
    states
        .find(|state| *state.service() == name)
        .ok_or_else(|| {
            Problem::new(Code::NotFound).with_detail("this process does not watch the service")
        })
}

/// What a call would be kept together by, as bytes.
fn key(query: &str) -> Result<Option<Vec<u8>>, Problem> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let key = pairs.into_iter().find(|(name, _)| *name == "key");
    key.map(|(_, text)| decoded(text))
        .map(|key| {
            key.ok_or_else(|| {
                Problem::new(Code::BadRequest).with_detail("key is not percent-encoded")
            })
        })
        .transpose()
}

/// Undoes percent-encoding (RFC 3986 section 2.1).
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(decoded)
}

fn watched(state: &State) -> Watched {
    let snapshot = state.snapshot();
    Watched {
        service: state.service().clone(),
        instances: snapshot.instances().len(),
        revision: snapshot.cursor().revision(),
        age_ms: state.age(clock::now()).map(millis),
    }
}

fn shown(state: &State) -> Result<Response<Body>, Problem> {
    let snapshot = state.snapshot();
    let instances = snapshot.instances().iter().map(ShownInstance::from);
    json(&Shown {
        service: state.service(),
        epoch: snapshot.cursor().epoch(),
        revision: snapshot.cursor().revision(),
        authority: snapshot.authority(),
        age_ms: state.age(clock::now()).map(millis),
        instances: instances.collect(),
    })
}

fn json(value: &impl Serialize) -> Result<Response<Body>, Problem> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| Problem::new(Code::Internal).with_source(error))?;
    let length = HeaderValue::from(bytes.len());
    let mut answer = Response::new(Body::from(bytes));
    let headers = answer.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

const SEGMENTS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_any_bytes() {
        for (query, expected) in [
            ("", None),
            ("other=1", None),
            ("key=", Some("")),
            ("other=1&key=user-17", Some("user-17")),
            ("key=a%20b%2fc%2F&key=2", Some("a b/c/")),
        ] {
            let expected = expected.map(|key| key.as_bytes().to_vec());
            assert_eq!(key(query).unwrap(), expected, "{query}");
        }
        assert_eq!(key("key=%ff%00").unwrap(), Some(vec![255, 0]));
        for bad in ["key=%", "key=%f", "key=%zz", "key=%é"] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }
}
