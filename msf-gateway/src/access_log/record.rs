//! [`AccessRecord`].

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, SystemTime},
};

use http::{HeaderValue, Method, Request, StatusCode, Version, header, uri::PathAndQuery};
use msf_core::{
    clock,
    name::ServiceName,
    route::MatchedRoute,
    server::{Refusal, Refused},
    trace::RequestId,
};
use tokio::time::Instant;

use super::exchange::host;
use crate::failure::{ProxyError, Side};

/// What is known of one request when it is over.
#[derive(Debug)]
pub struct AccessRecord {
    pub(super) time: SystemTime,
    pub(super) started: Instant,
    pub(crate) request_id: Option<RequestId>,
    pub(crate) client: Option<IpAddr>,
    /// `None` where no request came to be.
    pub(super) method: Option<Method>,
    pub(super) host: Option<HeaderValue>,
    pub(super) target: Option<PathAndQuery>,
    pub(super) version: Option<Version>,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) route: Option<MatchedRoute>,
    pub(super) cluster: Option<ServiceName>,
    pub(super) instance: Option<SocketAddr>,
    pub(super) status: Option<StatusCode>,
    pub(super) failure: Option<ProxyError>,
    /// Whether the answer is the gateway's own.
    pub(super) is_own: bool,
    /// Shared with the request's body, if there is one.
    pub(super) bytes_in: Option<Arc<AtomicU64>>,
    pub(super) bytes_out: u64,
    pub(super) called: Option<Instant>,
    pub(super) upstream: Option<Duration>,
    pub(super) duration: Duration,
}

impl AccessRecord {
    /// Of a client that the server refused, before a request reached the gateway, if it was answered.
    pub(crate) fn of_refused(refused: &Refused) -> Option<Self> {
        let failure = match refused.reason {
            Refusal::Malformed | Refusal::HeadTooLarge => ProxyError::BadRequest,
            Refusal::HeadTooSlow => ProxyError::TooSlow,
            Refusal::BodyTooLarge => ProxyError::TooLarge,
            Refusal::Misdirected => ProxyError::Misdirected,
            // Who is only closed may be many: they are counted, and nothing more.
            _ => return None,
        };
        let request = refused.request.as_ref();
        Some(Self {
            time: SystemTime::now(),
            started: clock::now(),
            request_id: None,
            client: Some(refused.peer.ip().to_canonical()),
            method: request.map(|request| request.method().clone()),
            host: request.and_then(|request| host(request.uri(), request.headers())),
            target: request.and_then(|request| request.uri().path_and_query().cloned()),
            version: request.map(Request::version),
            user_agent: request
                .and_then(|request| request.headers().get(header::USER_AGENT).cloned()),
            route: None,
            cluster: None,
            instance: None,
            status: refused.reason.status(),
            failure: Some(failure),
            is_own: true,
            bytes_in: None,
            bytes_out: 0,
            called: None,
            upstream: None,
            duration: Duration::ZERO,
        })
    }

    /// A service is called now.
    pub(crate) fn call(&mut self, service: &ServiceName) {
        self.cluster = Some(service.clone());
        self.called = Some(clock::now());
    }

    /// The answer of a service is there.
    pub(crate) fn answer(&mut self, instance: Option<SocketAddr>) {
        self.is_own = false;
        self.instance = instance;
        self.upstream = self
            .called
            .map(|called| clock::now().saturating_duration_since(called));
    }

    /// When the request came.
    #[must_use]
    pub const fn time(&self) -> SystemTime {
        self.time
    }

    /// Its id.
    #[must_use]
    pub const fn request_id(&self) -> Option<&RequestId> {
        self.request_id.as_ref()
    }

    /// The client's address, as trusted proxies tell it.
    #[must_use]
    pub const fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// The method; `None` if the server refused what was no request.
    #[must_use]
    pub const fn method(&self) -> Option<&Method> {
        self.method.as_ref()
    }

    /// The canonical path, without its query; as it came if it has no canonical form. `None` if the server refused
    /// what was no request.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.method.as_ref()?;
        Some(self.target.as_ref().map_or("/", PathAndQuery::path))
    }

    /// The template or id of the route.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.route.as_ref().map(MatchedRoute::as_str)
    }

    /// The service that was called.
    #[must_use]
    pub const fn cluster(&self) -> Option<&ServiceName> {
        self.cluster.as_ref()
    }

    /// The address that answered.
    #[must_use]
    pub const fn instance(&self) -> Option<SocketAddr> {
        self.instance
    }

    /// The status of the answer; 499 if the client left before there was one.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
            .unwrap_or_else(|| self.failure.unwrap_or(ProxyError::ClientGone).status())
    }

    /// What failed, if the request did.
    #[must_use]
    pub const fn failure(&self) -> Option<ProxyError> {
        self.failure
    }

    /// Who ended the request.
    #[must_use]
    pub fn ended_by(&self) -> Side {
        match self.failure {
            Some(failure) => failure.side(),
            None if self.is_own => Side::Gateway,
            None => Side::Upstream,
        }
    }

    /// Bytes of the request's body that were read.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in
            .as_ref()
            .map_or(0, |bytes| bytes.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// Bytes of the answer's body that were handed to the server.
    #[must_use]
    pub const fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    /// From the arrival of the request to the end of its answer.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// From the call of the service to the head of its answer.
    #[must_use]
    pub const fn upstream(&self) -> Option<Duration> {
        self.upstream
    }
}
