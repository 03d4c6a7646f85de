//! [`TraceLayer`] and its options.

use http::Request;
use tower_layer::Layer;

use super::{
    super::{RequestContext, propagation},
    access::AccessLog,
    service::Trace,
};
use crate::route::{self, RouteSource};

/// Applies [`Trace`]; see the [module documentation](crate::trace) for what it does and where it goes.
///
/// | option | default | why |
/// |---|---|---|
/// | [`route_from`](Self::route_from) | [`route::matched`] | routers of this crate leave it there |
/// | [`access_log`](Self::access_log) | [`AccessLog::Every`] | one line per request answers most questions |
/// | [`trust`](Self::trust) | [`Trust::Caller`] | inside a system a trace must not break |
/// | [`https`](Self::https) | off | HTTP/1 does not say which scheme was used |
/// | [`hide_request_id`](Self::hide_request_id) | off | the id is what a person can quote |
///
/// ```
/// use msf_core::trace::{AccessLog, TraceLayer, Trust};
///
/// let edge = TraceLayer::new().trust(Trust::Nobody).access_log(AccessLog::Failures).https();
/// # let _ = edge;
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct TraceLayer {
    pub(super) route: RouteSource,
    pub(super) access_log: AccessLog,
    pub(super) scheme: &'static str,
    pub(super) send_request_id: bool,
    trust: Trust,
}

impl TraceLayer {
    /// A layer with the defaults above.
    pub fn new() -> Self {
        Self {
            route: route::matched,
            access_log: AccessLog::Every,
            scheme: "http",
            send_request_id: true,
            trust: Trust::Caller,
        }
    }

    /// Where the route template is found.
    ///
    /// The source is asked twice: with the extensions of the request when it arrives, and if that
    /// gives nothing, with the extensions of the response. So a layer inside a router sees what was
    /// matched, and a layer around it sees what the router leaves in the response.
    pub fn route_from(mut self, source: RouteSource) -> Self {
        self.route = source;
        self
    }

    /// Which requests get a line in the access log.
    pub fn access_log(mut self, access_log: AccessLog) -> Self {
        self.access_log = access_log;
        self
    }

    /// Whose context is believed.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Records `url.scheme = "https"` for requests that name no scheme, which is all of HTTP/1.
    pub fn https(mut self) -> Self {
        self.scheme = "https";
        self
    }

    /// Leaves the response header `x-request-id` alone instead of setting it.
    pub fn hide_request_id(mut self) -> Self {
        self.send_request_id = false;
        self
    }

    /// The context under which `request` is served.
    pub(super) fn context<B>(&self, request: &Request<B>) -> RequestContext {
        // An outer `Trace` has read the headers already; reading them again would make this span
        // its sibling, or start a second trace.
        if let Some(outer) = request.extensions().get::<RequestContext>() {
            return outer.child();
        }
        match self.trust {
            Trust::Caller => propagation::extract(request.headers()),
            Trust::Nobody => RequestContext::root(),
        }
    }
}

impl Default for TraceLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace::new(inner, *self)
    }
}

/// Whose trace context, baggage and request id [`TraceLayer`] continues.
///
/// ```
/// use msf_core::trace::Trust;
///
/// assert_eq!(Trust::default(), Trust::Caller);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// The caller's: for services inside a system.
    #[default]
    Caller,
    /// Nobody's: for the edge, where a caller could choose what is sampled, join traces that are
    /// not its own, or smuggle baggage. Every request starts a new trace with a new request id.
    Nobody,
}
