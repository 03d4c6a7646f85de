//! [`GatewayBuilder`].

use std::{fmt, sync::Arc};

use super::{
    check,
    error::{GatewayError, GatewayErrors},
    gateway::Gateway,
    wiring::{Wired, Wiring},
};
use crate::{
    access_log::AccessLog,
    cluster::Cluster,
    failure::Failures,
    headers::{IdentityHeaders, forwarded::Forwarding},
    listener::Rules,
    live::Live,
    own::{self, OwnAnswers, Services},
    pipeline::{CallSlot, Shared, template},
    plugin::{Installed, Plugin},
    route::{Route, Table},
    tunnel::TunnelMetrics,
};
use msf_auth::{InternalTokens, Verifier};
use msf_client::{Client, ServiceClient};
use msf_core::{
    metrics::{HttpMetricsLayer, Metrics},
    name::ServiceName,
    trace::{self, TraceLayer, Trust},
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
/// | [`gateway_headers`](Self::gateway_headers) | on | a service behind any gateway can quote the request |
/// | [`access_log`](Self::access_log) | the line of the trace layer | every service has that one |
#[must_use = "a builder does nothing before `build`"]
pub struct GatewayBuilder {
    client: Client,
    routes: Vec<Route>,
    verifier: Option<Verifier>,
    rules: Rules,
    identity: IdentityHeaders,
    trace: Option<TraceLayer>,
    metrics: Metrics,
    exposes_metrics: bool,
    access_log: Option<AccessLog>,
    gateway_headers: bool,
    clusters: Vec<Cluster>,
    plugins: Vec<Installed>,
    internal_tokens: Option<InternalTokens>,
}

impl GatewayBuilder {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            routes: Vec::new(),
            verifier: None,
            rules: Rules::default(),
            identity: IdentityHeaders::default(),
            trace: None,
            metrics: Metrics::new(),
            exposes_metrics: false,
            access_log: None,
            gateway_headers: true,
            clusters: Vec::new(),
            plugins: Vec::new(),
            internal_tokens: None,
        }
    }

    /// Declares a cluster, to which routes lead by its name. A name without a cluster is that of a service in the
    /// registry of the client.
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.clusters.push(cluster);
        self
    }

    /// Declares clusters.
    pub fn clusters(mut self, clusters: impl IntoIterator<Item = Cluster>) -> Self {
        self.clusters.extend(clusters);
        self
    }

    /// Adds code of your own to every route that leads to a service; see [`plugin`](crate::plugin).
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        self.plugins.push(Installed::new(plugin));
        self
    }

    /// Who mints the tokens of routes with [`internal_identity`](Route::internal_identity).
    pub fn internal_tokens(mut self, tokens: InternalTokens) -> Self {
        self.internal_tokens = Some(tokens);
        self
    }

    /// Adds a route. The order does not matter: the most specific one wins, see [`route`](crate::route).
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
        self.rules.forwarding = forwarding;
        self
    }

    /// As [`forwarding`](Self::forwarding), for the listener at this [place](crate::listener) alone.
    pub fn forwarding_at(mut self, listener: usize, forwarding: Forwarding) -> Self {
        self.rules.set_forwarding(listener, forwarding);
        self
    }

    /// Answers every request that comes to the listener at this [place](crate::listener) without TLS by 308 to the same
    /// address over `https` at that port, usually 443.
    ///
    /// The gateway's own probes are still answered there. A client that sent a token in the clear has sent it already:
    /// for machines no plain listener at all is better.
    pub fn redirect_to_https(mut self, listener: usize, port: u16) -> Self {
        self.rules.set_redirect(listener, port);
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
        self.trace = Some(trace);
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

    /// Writes a line of the gateway's own for each request, in place of the trace layer's; see
    /// [`access_log`](crate::access_log).
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.access_log = Some(log);
        self
    }

    /// Whether services get `X-Gateway-Request-ID` and `X-Gateway-Timestamp`: on by default.
    pub const fn gateway_headers(mut self, sends: bool) -> Self {
        self.gateway_headers = sends;
        self
    }

    /// What a test puts something else in the place of.
    #[cfg(feature = "testing")]
    pub(crate) fn parts(&mut self) -> (&mut Client, &mut [Cluster], &[Route]) {
        (&mut self.client, &mut self.clusters, &self.routes)
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
        self.build_after(None)
    }

    /// As [`build`](Self::build), for the place of a gateway that runs: it counts and is healthy as that one.
    pub(crate) fn build_after(
        mut self,
        before: Option<&Gateway>,
    ) -> Result<Gateway, GatewayErrors> {
        if let Some(before) = before {
            self.metrics = before.metrics.clone();
        }
        let health = before.map(|before| before.health.clone());
        let mut errors = Vec::new();
        if self.routes.is_empty() {
            errors.push(GatewayError::NoRoutes);
        }
        let common = check::Common {
            has_verifier: self.verifier.is_some(),
            tokens: self.internal_tokens.as_ref(),
            plugins: &self.plugins,
        };
        let drafts = check::routes(self.routes, &common, &mut errors);
        let before = before.map(Gateway::shared);
        let mut wiring = Wiring::new(&self.client, &self.metrics);
        wiring.declare(self.clusters, before.as_deref(), &mut errors);
        let mut rules = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let rule = draft.rule.clone();
            if let Some(route) = wiring.connect(draft, &mut errors) {
                rules.push((rule, Arc::new(route)));
            }
        }
        let layer = HttpMetricsLayer::new(&self.metrics)
            .map_err(|error| errors.push(error.into()))
            .ok();
        let failures = Failures::register(&self.metrics)
            .map_err(|error| errors.push(error.into()))
            .ok();
        let tunnels = TunnelMetrics::register(&self.metrics)
            .map_err(|error| errors.push(error.into()))
            .ok();
        let (Some(metrics_layer), Some(failures), Some(tunnels), true) =
            (layer, failures, tunnels, errors.is_empty())
        else {
            return Err(GatewayErrors::new(errors));
        };

        let Wired { clusters, calls } = wiring.finish();
        let health = health.unwrap_or_else(own::health);
        let table = Table::compiled(rules);
        let default_trace = TraceLayer::new().trust(Trust::Nobody);
        let (access_log, default_trace) = match (before.as_deref(), self.access_log) {
            // Whoever writes stays as it is, and so does its file.
            (Some(before), _) => (before.access_log.clone(), default_trace),
            (None, None) => (None, default_trace),
            (None, Some(log)) => match log.start(&self.metrics) {
                // One line per request is enough.
                Ok(log) => (
                    Some(Arc::new(log)),
                    default_trace.access_log(trace::AccessLog::Off),
                ),
                Err(error) => return Err(GatewayErrors::new(vec![error.into()])),
            },
        };

        let registry = self.client.registry().clone();
        let own = OwnAnswers {
            health: health.clone(),
            services: Services::new(registry, services(&calls)),
            metrics: self.metrics.clone(),
            exposes_metrics: self.exposes_metrics,
        };
        let shared = Shared {
            table,
            rules: self.rules,
            identity: self.identity,
            verifier: self.verifier,
            own: Arc::new(own),
            client: self.client,
            clusters,
            calls,
            failures,
            access_log,
            gateway_headers: self.gateway_headers,
            tunnels,
        };
        Ok(Gateway {
            live: Live::new(shared),
            trace: self.trace.unwrap_or(default_trace).route_from(template),
            metrics_layer: metrics_layer.route_from(template),
            metrics: self.metrics,
            health,
        })
    }
}

/// The services that routes lead to. What only gets copies is nothing that a client waits for.
fn services(calls: &[CallSlot]) -> impl Iterator<Item = (ServiceName, ServiceClient)> {
    let service = |call: &CallSlot| (call.service.name().clone(), call.service.clone());
    calls.iter().filter(|call| !call.is_mirror).map(service)
}

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
