//! From what is written to gateways, one after the other.

mod auth;
mod blame;
mod clusters;
mod headers;
mod identity;
mod listeners;
mod parts;
mod registry;
mod report;
mod routes;
mod server;
mod shared_limit;

use msf_client::Client;
use msf_core::{
    metrics::Metrics,
    trace::{self, TraceLayer, Trust},
};

pub(crate) use self::clusters::says_spread;
pub(crate) use self::listeners::running_places;
use self::parts::{Kept, Parts};
pub(super) use self::report::Report;
use super::{ConfigErrors, ConfigProblem, GatewayConfig};
use crate::gateway::{self, Gateway, GatewayBuilder, GatewayError, GatewayErrors};

/// Looks for everything that is wrong with the settings themselves, without opening, starting or calling
/// anything.
pub(super) fn check(config: &GatewayConfig) -> Report {
    let mut report = Report::default();
    let kept = Kept::default();
    let mut parts = Parts::new(None, &kept);
    if let Some(text) = &config.defaults.policy {
        report.check("defaults.policy", text.parse::<msf_auth::Policy>());
    }
    if config.defaults.timeout.is_some_and(|it| it.get().is_zero()) {
        report.at("defaults.timeout", "must be above zero");
    }
    if let Some(zone) = &config.zone {
        clusters::checked_zone(zone, || "zone".to_owned(), &mut report);
    }
    server::check(config, &mut report);
    if let Some(registry) = &config.registry {
        registry::check(registry, &mut report);
    }
    if let Some(auth) = &config.auth {
        auth::verifier(auth, None, &mut report);
    }
    if let Some(identity) = &config.internal_identity {
        identity::tokens(identity, None, &mut report);
    }
    if let Some(redis) = &config.redis {
        shared_limit::check(redis, &mut report);
    }
    identity::headers(&config.identity_headers, &mut report);
    listeners::rules(config, &mut report);
    clusters::clusters(config, &mut report);
    routes::routes(config, &mut parts, &mut report);
    report
}

/// What the builder would find wrong with the routes, such as one that nothing reaches. A route that is reported already
/// is left out: it is not what its writer meant, and others would be compared with it.
pub(super) fn found(config: &GatewayConfig, reported: &Report) -> Vec<ConfigProblem> {
    let reported = reported.routes();
    let is_looked_at =
        |place: usize| !reported.contains(&place) && config.routes[place].r#match.is_some();
    let kept = Kept::default();
    let mut parts = Parts::new(None, &kept);
    let routes = routes::some(config, is_looked_at, &mut parts, &mut Report::default());
    let mut errors = gateway::check_routes(routes, config.auth.is_some());
    // Whoever mints them is not asked to here, and a section that is missing was reported.
    errors.retain(|error| !matches!(error, GatewayError::NoInternalTokens { .. }));
    blame::problems(config, &errors, is_looked_at)
}

/// Makes one gateway after the other, and keeps what did not change.
#[derive(Clone, Debug)]
pub(crate) struct Assembly {
    metrics: Metrics,
    client: Client,
    /// What the listeners were opened by.
    first: GatewayConfig,
    kept: Kept,
}

impl Assembly {
    /// The parts that live as long as the process.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] when the registry cannot be opened.
    pub(crate) fn new(config: &GatewayConfig, metrics: &Metrics) -> Result<Self, ConfigErrors> {
        let mut report = Report::default();
        match registry::client(config, metrics, &mut report) {
            Some(client) if report.len() == 0 => Ok(Self {
                metrics: metrics.clone(),
                client,
                first: config.clone(),
                kept: Kept::default(),
            }),
            _ => Err(ConfigErrors::new(report.into_problems())),
        }
    }

    /// The first gateway.
    pub(crate) fn build(&mut self, config: &GatewayConfig) -> Result<Gateway, ConfigErrors> {
        let (builder, kept) = self.builder(config)?;
        let gateway = builder.build();
        let gateway = gateway.map_err(|errors| ConfigErrors::blamed(config, &errors))?;
        self.kept = kept;
        Ok(gateway)
    }

    /// The next one, in the place of one that runs.
    pub(crate) fn apply(
        &mut self,
        config: &GatewayConfig,
        gateway: &Gateway,
    ) -> Result<crate::live::Revision, ConfigErrors> {
        let (builder, kept) = self.builder(config)?;
        let applied = gateway.apply(builder);
        let revision = applied.map_err(|errors| ConfigErrors::blamed(config, &errors))?;
        self.kept = kept;
        Ok(revision)
    }

    fn builder(&self, config: &GatewayConfig) -> Result<(GatewayBuilder, Kept), ConfigErrors> {
        let mut report = Report::default();
        let mut parts = Parts::new(Some(&self.metrics), &self.kept);
        let mut builder = Gateway::builder(self.client.clone())
            .metrics(&self.metrics)
            .clusters(clusters::clusters(config, &mut report))
            .routes(routes::routes(config, &mut parts, &mut report));
        let written = listeners::rules(config, &mut report);
        let places = running_places(&self.first, config).into_iter();
        let rules: Vec<_> = places
            .enumerate()
            .map(|(running, place)| {
                let before = || self.kept.rules.get(running);
                let rule = place.map_or_else(before, |place| written.get(place));
                rule.cloned().unwrap_or_default()
            })
            .collect();
        for (place, (forwarding, redirect)) in rules.clone().into_iter().enumerate() {
            builder = builder.forwarding_at(place, forwarding);
            if let Some(port) = redirect {
                builder = builder.redirect_to_https(place, port);
            }
        }
        builder = builder
            .identity_headers(identity::headers(&config.identity_headers, &mut report))
            .gateway_headers(config.gateway_headers.unwrap_or(true));
        if config.trust_trace {
            let mut trace = TraceLayer::new().trust(Trust::Caller);
            if config.access_log.is_some() {
                // One line per request is enough.
                trace = trace.access_log(trace::AccessLog::Off);
            }
            builder = builder.trace(trace);
        }
        if config.expose_metrics {
            builder = builder.expose_metrics();
        }
        if let Some(log) = server::access_log(config, &mut report) {
            builder = builder.access_log(log);
        }
        let mut kept = parts.next;
        kept.rules = rules;
        if let Some(auth) = &config.auth {
            let verifier = match &self.kept.verifier {
                // With the keys that it has fetched.
                Some((before, verifier)) if before == auth => Some(verifier.clone()),
                _ => auth::verifier(auth, Some(&self.metrics), &mut report),
            };
            if let Some(verifier) = verifier {
                builder = builder.verifier(verifier.clone());
                kept.verifier = Some((auth.clone(), verifier));
            }
        }
        if let Some(identity) = &config.internal_identity {
            let tokens = match &self.kept.tokens {
                // With those that it has minted.
                Some((before, tokens)) if before == identity => Some(tokens.clone()),
                _ => identity::tokens(identity, Some(&self.metrics), &mut report),
            };
            if let Some(tokens) = tokens {
                builder = builder.internal_tokens(tokens.clone());
                kept.tokens = Some((identity.clone(), tokens));
            }
        }
        if report.len() > 0 {
            return Err(ConfigErrors::new(report.into_problems()));
        }
        Ok((builder, kept))
    }
}

/// A gateway for a place without registry, Redis and issuers: whoever calls says who verifies, and limits are counted in
/// memory.
#[cfg(feature = "testing")]
pub(crate) fn dry(
    config: &GatewayConfig,
    metrics: &Metrics,
    client: Client,
    verifier: Option<msf_auth::Verifier>,
) -> Result<GatewayBuilder, ConfigErrors> {
    let kept = Kept {
        verifier: config.auth.clone().zip(verifier),
        #[cfg(feature = "redis")]
        stores: config
            .redis
            .as_ref()
            .map(shared_limit::Stores::in_memory)
            .unwrap_or_default(),
        ..Kept::default()
    };
    let assembly = Assembly {
        metrics: metrics.clone(),
        client,
        first: config.clone(),
        kept,
    };
    assembly.builder(config).map(|(builder, _)| builder)
}

impl GatewayConfig {
    /// Makes a gateway that counts in these metrics; see [`LiveGateway`](crate::live::LiveGateway) for one that can
    /// be given another configuration.
    ///
    /// ```
    /// use msf_core::metrics::Metrics;
    /// use msf_gateway::config::GatewayConfig;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), msf_gateway::config::ConfigErrors> {
    /// let config = GatewayConfig::load("gateway.toml", r#"
    ///     [clusters.users]
    ///     endpoints = ["http://127.0.0.1:9001"]
    ///     [[routes]]
    ///     match = { path = "/api/users/**" }
    ///     to = "users"
    /// "#)?;
    /// let service = config.build(&Metrics::new())?.into_service();
    /// # drop(service);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with everything that is wrong.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn build(&self, metrics: &Metrics) -> Result<Gateway, ConfigErrors> {
        Assembly::new(self, metrics)?.build(self)
    }
}

impl ConfigErrors {
    /// What the builder found, at the keys of the configuration.
    pub(crate) fn blamed(config: &GatewayConfig, errors: &GatewayErrors) -> Self {
        Self::new(blame::problems(config, errors.all(), |_| true))
    }
}
