//! What the way back needs of a request whose route does more than forward.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, Uri, request::Parts};
use msf_core::{
    clock,
    trace::{RequestContext, RequestId},
};
use msf_resilience::rate_limit::Allowed;
use tokio::time::Instant;

use crate::{
    body::Proxied,
    cors::Grant,
    gateway::{CheckedRoute, Extras},
    plugin::{Contexts, Watched},
    route::Captures,
    transform::Values,
};

/// What a request leaves for its answer.
#[derive(Debug, Default)]
pub(crate) struct Back {
    pub(crate) allowed: Option<Allowed>,
    /// `None` for a plain route.
    pub(crate) exchange: Option<Box<Exchange>>,
}

/// A request of a route that does more than forward.
#[derive(Debug)]
pub(crate) struct Exchange {
    route: Arc<CheckedRoute>,
    captures: Captures,
    grant: Option<Grant>,
    /// As it came, canonical.
    uri: Uri,
    host: Option<HeaderValue>,
    request_id: Option<RequestId>,
    client: Option<IpAddr>,
    started: Instant,
    /// Of the plugins that have seen the request.
    pub(crate) contexts: Contexts,
}

impl Exchange {
    /// Begins before anything is taken from the request.
    pub(crate) fn begin(
        route: &Arc<CheckedRoute>,
        captures: &Captures,
        parts: &Parts,
        host: Option<&HeaderValue>,
    ) -> Option<Box<Self>> {
        let extras = route.extras.as_ref()?;
        let context = parts.extensions.get::<RequestContext>();
        Some(Box::new(Self {
            grant: extras.cors.as_ref().map(|cors| cors.grant(&parts.headers)),
            route: Arc::clone(route),
            captures: captures.clone(),
            uri: parts.uri.clone(),
            host: host.cloned(),
            request_id: context.map(|context| context.request_id().clone()),
            client: None,
            started: clock::now(),
            contexts: Contexts::default(),
        }))
    }

    /// Says who the client is, once that is known.
    pub(crate) const fn came_from(&mut self, client: Option<IpAddr>) {
        self.client = client;
    }

    /// What templates may name.
    pub(crate) fn values(&self) -> Values<'_> {
        Values {
            client: self.client,
            host: self.host.as_ref().and_then(|host| host.to_str().ok()),
            path: self.uri.path(),
            query: self.uri.query(),
            request_id: self.request_id.as_ref().map(RequestId::as_str),
            route: self.route.template.as_str(),
            captures: &self.captures,
        }
    }

    fn extras(&self) -> Option<&Extras> {
        self.route.extras.as_deref()
    }
}

impl Back {
    /// The answer as the client gets it.
    pub(crate) fn finish(&mut self, mut response: Response<Proxied>) -> Response<Proxied> {
        // How much of its limit the client has left.
        if let Some(allowed) = &self.allowed {
            allowed.write_to(response.headers_mut());
        }
        match self.exchange.take() {
            None => response,
            Some(exchange) => exchange.finish(response),
        }
    }

    /// A refusal as the client gets it: with what its limit says about itself.
    pub(crate) fn refuse(&mut self, response: Response<Bytes>) -> Response<Proxied> {
        let response = response.map(Proxied::from);
        match self.exchange.take() {
            None => response,
            Some(exchange) => exchange.finish(response),
        }
    }
}

impl Exchange {
    fn finish(mut self: Box<Self>, response: Response<Proxied>) -> Response<Proxied> {
        let (mut parts, body) = response.into_parts();
        self.contexts.on_response(&mut parts);
        self.write_headers(&mut parts.headers);
        let contexts = std::mem::take(&mut self.contexts);
        let body = Watched::around(body, contexts, parts.status, self.started);
        Response::from_parts(parts, body)
    }

    /// The headers of the route come after those of plugins, and CORS after all, since it says who may read them.
    fn write_headers(&self, headers: &mut HeaderMap) {
        let Some(extras) = self.extras() else { return };
        if let Some(transform) = &extras.response_headers {
            transform.apply(&self.values(), headers);
        }
        if let (Some(cors), Some(grant)) = (&extras.cors, &self.grant) {
            cors.write(grant, headers);
        }
    }
}
