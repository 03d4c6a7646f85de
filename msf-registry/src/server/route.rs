//! From method and path to what is asked.

use http::Method;
use msf_core::{
    name::{InstanceId, ServiceName},
    problem::{Code, Problem},
};

use super::access::Scope;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Health,
    Services,
    Snapshot(ServiceName),
    Register(ServiceName, InstanceId),
    Renew(ServiceName, InstanceId),
    RenewAll,
    Deregister(ServiceName, InstanceId),
    /// What an instance says about itself; back to `up` without.
    Status(ServiceName, InstanceId, Verb),
    /// What an operator says in its place; nothing without.
    Override(ServiceName, InstanceId, Verb),
}

/// Whether something is set or taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Set,
    Clear,
}

/// Why a request is not understood.
#[derive(Debug)]
pub(super) enum NoRoute {
    NotFound,
    /// The methods that the path takes.
    Method(&'static str),
    Name(Problem),
}

impl Route {
    /// What a request of this kind needs to be allowed.
    pub(super) const fn scope(&self) -> Scope {
        match self {
            Self::Health => Scope::Open,
            Self::Override(..) => Scope::Operator,
            _ => Scope::Client,
        }
    }
}

/// Names are made of characters that stand for themselves in a path, so nothing is decoded: what is
/// percent-encoded is no name.
pub(super) fn route(method: &Method, path: &str) -> Result<Route, NoRoute> {
    let path = path.strip_prefix("/v1/").ok_or(NoRoute::NotFound)?;
    let segments: Vec<&str> = path.splitn(SEGMENTS_MAX, '/').collect();
    match segments[..] {
        ["health"] => reading(method, || Ok(Route::Health)),
        ["services"] => reading(method, || Ok(Route::Services)),
        ["services", name] => reading(method, || Ok(Route::Snapshot(service(name)?))),
        ["services", name, "instances", id] => match *method {
            Method::PUT => Ok(Route::Register(service(name)?, instance(id)?)),
            Method::DELETE => Ok(Route::Deregister(service(name)?, instance(id)?)),
            _ => Err(NoRoute::Method("PUT, DELETE")),
        },
        ["services", name, "instances", id, "renew"] => match *method {
            Method::POST => Ok(Route::Renew(service(name)?, instance(id)?)),
            _ => Err(NoRoute::Method("POST")),
        },
        ["services", name, "instances", id, "status"] => {
            let verb = verb(method)?;
            Ok(Route::Status(service(name)?, instance(id)?, verb))
        }
        ["services", name, "instances", id, "override"] => {
            let verb = verb(method)?;
            Ok(Route::Override(service(name)?, instance(id)?, verb))
        }
        ["renew"] => match *method {
            Method::POST => Ok(Route::RenewAll),
            _ => Err(NoRoute::Method("POST")),
        },
        _ => Err(NoRoute::NotFound),
    }
}

const fn verb(method: &Method) -> Result<Verb, NoRoute> {
    match *method {
        Method::PUT => Ok(Verb::Set),
        Method::DELETE => Ok(Verb::Clear),
        _ => Err(NoRoute::Method("PUT, DELETE")),
    }
}

/// Who may ask for content may ask for its head (RFC 9110 section 9.3.2).
fn reading(
    method: &Method,
    route: impl FnOnce() -> Result<Route, NoRoute>,
) -> Result<Route, NoRoute> {
    match *method {
        Method::GET | Method::HEAD => route(),
        _ => Err(NoRoute::Method("GET, HEAD")),
    }
}

fn service(name: &str) -> Result<ServiceName, NoRoute> {
    ServiceName::new(name).map_err(|error| bad_name(&error))
}

fn instance(id: &str) -> Result<InstanceId, NoRoute> {
    InstanceId::new(id).map_err(|error| bad_name(&error))
}

fn bad_name(error: &msf_core::name::InvalidName) -> NoRoute {
    NoRoute::Name(Problem::new(Code::BadRequest).with_detail(error.to_string()))
}

const SEGMENTS_MAX: usize = 6;
