//! From a request to its answer.

use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use msf_core::{
    problem::{Code, Problem},
    server::Body,
};
use serde::Serialize;

use super::{
    reading, request,
    route::{NoRoute, Route, Verb, route},
    service::RegistryServer,
};
use crate::{
    backend::memory::UnknownInstance,
    health::OutOfReach,
    model::{Renewal, Status},
    wire::{About, Granted, Renewed, RenewedAll, RenewedOne, Services, millis},
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
                watchers: server.watchers(),
            })
        }
        Route::Services => json(&Services {
            services: memory.service_names(),
            epoch,
            authoritative: memory.is_warm(),
        }),
        Route::Snapshot(service) => reading::snapshot(server, service, parts).await,
        Route::Register(service, id) => {
            let ttl = request::ttl(parts)?;
            let instance = request::instance(&parts.headers, body, &service, &id).await?;
            server
                .reach
                .validate(&instance)
                .map_err(|error| out_of_reach(&error))?;
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
                Renewal::Gone => Err(gone()),
            }
        }
        Route::RenewAll => {
            let leases = request::leases(&parts.headers, body).await?;
            let renew = |lease: Option<_>| match lease.map(|lease| memory.renew_now(&lease)) {
                Some(Renewal::Renewed { ttl }) => RenewedOne::Ok {
                    ttl_ms: millis(ttl),
                },
                Some(Renewal::Gone) => RenewedOne::Gone,
                None => RenewedOne::Invalid,
            };
            let results = leases.into_iter().map(renew).collect();
            json(&RenewedAll { results, epoch })
        }
        Route::Deregister(service, id) => {
            memory.deregister_now(&request::lease(&parts.headers, service, id)?);
            Ok(empty())
        }
        Route::Status(service, id, verb) => {
            let lease = request::lease(&parts.headers, service, id)?;
            let status = match verb {
                Verb::Set => request::status(&parts.headers, body).await?,
                Verb::Clear => Status::default(),
            };
            let set = memory.set_status(&lease, status);
            set.map_err(|UnknownInstance| gone())?;
            Ok(empty())
        }
        Route::Override(service, id, verb) => {
            let status = match verb {
                Verb::Set => Some(request::status(&parts.headers, body).await?),
                Verb::Clear => None,
            };
            let set = memory.set_override(&service, &id, status);
            set.map_err(|unknown| Problem::new(Code::NotFound).with_detail(unknown.to_string()))?;
            Ok(empty())
        }
    }
}

fn gone() -> Problem {
    Problem::new(Code::NotFound).with_detail("the lease is gone; register again")
}

fn out_of_reach(error: &OutOfReach) -> Problem {
    Problem::new(Code::ValidationFailed)
        .with_detail("the instance names an address that this registry does not take")
        .with_error(format!("/{}", error.field), error.to_string())
}

fn json(value: &impl Serialize) -> Result<Response<Body>, Problem> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| Problem::new(Code::Internal).with_source(error))?;
    Ok(ok(bytes.into()))
}

/// An answer in JSON.
pub(super) fn ok(bytes: bytes::Bytes) -> Response<Body> {
    let length = HeaderValue::from(bytes.len());
    let mut answer = Response::new(Body::from(bytes));
    let headers = answer.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    // Said here, because the answer to HEAD has no content to be measured.
    headers.insert(header::CONTENT_LENGTH, length);
    // Kept by nobody without asking: how long a list holds is what leases are for.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

pub(super) fn empty() -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    // That nothing happened holds for one question only; a cache may keep it (RFC 9110 section 15.3.5).
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
