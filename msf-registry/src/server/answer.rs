//! From a request to its answer.

use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use msf_core::{
    name::ServiceName,
    problem::{Code, Problem},
    server::{Body, Connection, Phase},
};
use serde::Serialize;

use super::{
    request,
    route::{NoRoute, Route, route},
    service::RegistryServer,
};
use crate::{
    model::{Change, Renewal, Snapshot},
    wire::{About, Granted, Renewed, Services, StateOut, millis},
};

pub(super) async fn answer(server: RegistryServer, request: Request<Body>) -> Response<Body> {
    let is_head = request.method() == Method::HEAD;
    let mut answer = whole(server, request).await;
    if is_head {
        *answer.body_mut() = Body::empty();
    }
    answer
}

async fn whole(server: RegistryServer, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let route = match route(&parts.method, parts.uri.path()) {
        Ok(route) => route,
        Err(NoRoute::NotFound) => return Problem::new(Code::NotFound).into_response(),
        Err(NoRoute::Name(problem)) => return problem.into_response(),
        Err(NoRoute::Method(allowed)) => {
            let mut answer: Response<Body> = Problem::new(Code::MethodNotAllowed).into_response();
            let allowed = HeaderValue::from_static(allowed);
            answer.headers_mut().insert(header::ALLOW, allowed);
            return answer;
        }
    };
    if let Err(denied) = server.access.check(route.scope(), &parts.headers) {
        return denied.into_response();
    }
    dispatch(&server, route, &parts, body)
        .await
        .unwrap_or_else(Problem::into_response)
}

async fn dispatch(
    server: &RegistryServer,
    route: Route,
    parts: &Parts,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let memory = &server.memory;
    let epoch = memory.epoch();
    match route {
        Route::Health => {
            let (instances, services) = memory.counts();
            json(&About {
                epoch,
                authoritative: memory.is_warm(),
                instances,
                services,
                watchers: server.watchers_max - server.watchers.available_permits(),
            })
        }
        Route::Services => json(&Services {
            services: memory.service_names(),
            epoch,
            authoritative: memory.is_warm(),
        }),
        Route::Snapshot(service) => snapshot(server, &service, parts).await,
        Route::Register(service, id) => {
            let ttl = request::ttl(parts)?;
            let instance = request::instance(&parts.headers, body, &service, &id).await?;
            let lease = memory.register_now(&instance, ttl)?;
            json(&Granted {
                lease: lease.token().to_owned(),
                ttl_ms: millis(lease.ttl()),
                epoch,
            })
        }
        Route::Renew(service, id) => {
            let lease = request::lease(&parts.headers, service, id)?;
            match memory.renew_now(&lease) {
                Renewal::Renewed { ttl } => json(&Renewed {
                    ttl_ms: millis(ttl),
                    epoch,
                }),
                Renewal::Gone => {
                    Err(Problem::new(Code::NotFound)
                        .with_detail("the lease is gone; register again"))
                }
            }
        }
        Route::RenewAll | Route::Status(..) | Route::Override(..) => {
            Err(Problem::new(Code::NotImplemented))
        }
        Route::Deregister(service, id) => {
            memory.deregister_now(&request::lease(&parts.headers, service, id)?);
            Ok(empty())
        }
    }
}

async fn snapshot(
    server: &RegistryServer,
    service: &ServiceName,
    parts: &Parts,
) -> Result<Response<Body>, Problem> {
    let Some((after, wait)) = request::waiting(parts)? else {
        return state(&server.memory.snapshot(service));
    };
    // Who asks for news without waiting takes no place among those who wait.
    let _place = if wait.is_zero() {
        None
    } else {
        let place = server.watchers.try_acquire().map_err(|_taken| {
            Problem::new(Code::Overloaded)
                .with_detail("too many requests wait for a change")
                .with_retry_after(RETRY_AFTER)
        })?;
        Some(place)
    };
    let change = tokio::select! {
        change = server.memory.next_within(service, after, wait) => change,
        // Who waits would hold up the end of the server. Not before its listener is closed: until then
        // they would come back at once.
        () = stopping(parts) => Change::Unchanged,
    };
    match change {
        Change::Changed(snapshot) => state(&snapshot),
        Change::Unchanged => Ok(empty()),
    }
}

/// Ends when the server that received the request stops.
async fn stopping(parts: &Parts) {
    match parts.extensions.get::<Connection>() {
        Some(connection) => connection.drain().reached(Phase::Stopping).await,
        None => std::future::pending().await,
    }
}

fn state(snapshot: &Snapshot) -> Result<Response<Body>, Problem> {
    json(&StateOut::from(snapshot))
}

fn json(value: &impl Serialize) -> Result<Response<Body>, Problem> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| Problem::new(Code::Internal).with_source(error))?;
    let length = HeaderValue::from(bytes.len());
    let mut answer = Response::new(Body::from(bytes));
    let headers = answer.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    // Said here, because the answer to HEAD has no content to be measured.
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

fn empty() -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

const RETRY_AFTER: Duration = Duration::from_secs(1);
