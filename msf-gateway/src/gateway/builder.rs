//! [`GatewayBuilder`].

use std::{collections::BTreeSet, fmt, sync::Arc};

use msf_auth::Verifier;
use msf_client::Client;
use msf_core::{
    metrics::{HttpMetricsLayer, Metrics},
    name::ServiceName,
    trace::{TraceLayer, Trust},
};

use super::{
    check,
    error::{GatewayError, GatewayErrors},
    gateway::Gateway,
};
use crate::{
    headers::{IdentityHeaders, forwarded::Forwarding},
    own::{self, OwnAnswers, Services},
    pipeline::{Shared, template},
    route::{Route, Table},
    tunnel::TunnelMetrics,
};

/// Puts a [`Gateway`] together; made by [`Gateway::builder`].
///
/// | setting | default | why |
/// |---|---|---|
/// | [`verifier`](Self::verifier) | none | needed as soon as a route is not public |
/// | [`forwarding`](Self::forwarding) | believe nobody | a header is no proof |
/// | [`identity_headers`](Self::identity_headers) | the built-in list | |
/// | [`trace`](Self::trace) | [`Trust::Nobody`], every request logged | anybody can send a `traceparent` |
/// | [`metrics`](Self::metrics) | its own | |
/// | [`expose_metrics`](Self::expose_metrics) | off | what runs inside is nobody's concern |
#[must_use = "a builder does nothing before `build`"]
pub struct GatewayBuilder {
    client: Client,
    routes: Vec<Route>,
    verifier: Option<Verifier>,
    forwarding: Forwarding,
    identity: IdentityHeaders,
    trace: TraceLayer,
    metrics: Metrics,
    exposes_metrics: bool,
}

impl GatewayBuilder {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            routes: Vec::new(),
            verifier: None,
            forwarding: Forwarding::default(),
            identity: IdentityHeaders::default(),
            trace: TraceLayer::new().trust(Trust::Nobody),
            metrics: Metrics::new(),
            exposes_metrics: false,
        }
    }

    /// Adds a route. The order does not matter: the most specific path wins.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Adds routes.
    pub fn routes(mut self, routes: impl IntoIterator<Item = Route>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// Who verifies tokens.
    pub fn verifier(mut self, verifier: Verifier) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Which proxies are believed about the client, and what the services are told.
    pub fn forwarding(mut self, forwarding: Forwarding) -> Self {
        self.forwarding = forwarding;
        self
    }

    /// Which headers no client may send.
    pub fn identity_headers(mut self, identity: IdentityHeaders) -> Self {
        self.identity = identity;
        self
    }

    /// Replaces the trace layer's settings: whose context is believed, what the access log has. Where it
    /// finds the route is set by the gateway.
    pub fn trace(mut self, trace: TraceLayer) -> Self {
        self.trace = trace;
        self
    }

    /// The metrics of the process, in which the gateway counts its requests by route.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = metrics.clone();
        self
    }

    /// Answers `/metrics` on the public listener too, to everybody.
    pub const fn expose_metrics(mut self) -> Self {
        self.exposes_metrics = true;
        self
    }

    /// Checks everything, and starts to watch the services in the registry.
    ///
    /// Watches live on the current runtime, unless the registry was given another: call it on the runtime
    /// that does the control work and not on a worker.
    ///
    /// # Errors
    ///
    /// [`GatewayErrors`] with all that is wrong.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, unless the registry was given one.
    pub fn build(self) -> Result<Gateway, GatewayErrors> {
        let mut errors = Vec::new();
        if self.routes.is_empty() {
            errors.push(GatewayError::NoRoutes);
        }
        let checked = check::routes(self.routes, self.verifier.is_some(), &mut errors);
        let services: BTreeSet<ServiceName> = checked
            .iter()
            .map(|(_, _, route)| route.service.clone())
            .collect();
        let services: Box<[ServiceName]> = services.into_iter().collect();
        for service in &services {
            // The watch begins here, and not with the first request on a worker's runtime.
            if let Err(source) = self.client.service(service) {
                errors.push(GatewayError::Client {
                    service: service.clone(),
                    source,
                });
            }
        }
        let layer = HttpMetricsLayer::new(&self.metrics)
            .map_err(|error| errors.push(error.into()))
            .ok();
        let tunnels = TunnelMetrics::register(&self.metrics)
            .map_err(|error| errors.push(error.into()))
            .ok();
        let (Some(metrics_layer), Some(tunnels), true) = (layer, tunnels, errors.is_empty()) else {
            return Err(GatewayErrors::new(errors));
        };

        let body_limit_max = checked.iter().map(|(_, _, route)| route.body_limit).max();
        let mut table = Table::default();
        for (pattern, methods, mut route) in checked {
            let place = services.binary_search(&route.service);
            route.service_at = place.expect("the list was made of the services of all routes");
            table.insert(&pattern, methods, Arc::new(route));
        }
        let health = own::health();
        let registry = self.client.registry().clone();
        let own = OwnAnswers {
            health: health.clone(),
            services: Services::new(registry, services.iter().cloned()),
            metrics: self.metrics.clone(),
            exposes_metrics: self.exposes_metrics,
        };
        let shared = Shared {
            table,
            forwarding: self.forwarding,
            identity: self.identity,
            verifier: self.verifier,
            own: Arc::new(own),
            client: self.client,
            services,
            tunnels,
        };
        Ok(Gateway {
            shared: Arc::new(shared),
            trace: self.trace.route_from(template),
            metrics_layer: metrics_layer.route_from(template),
            metrics: self.metrics,
            health,
            body_limit_max: body_limit_max.unwrap_or(Route::BODY_LIMIT_DEFAULT),
        })
    }
}

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
