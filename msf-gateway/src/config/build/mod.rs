//! From what is written to gateways, one after the other.

mod auth;
mod blame;
mod clusters;
mod headers;
mod parts;
mod registry;
mod report;
mod routes;
mod server;

use msf_client::Client;
use msf_core::metrics::Metrics;

use self::parts::{Kept, Parts};
pub(super) use self::report::Report;
use super::{ConfigErrors, GatewayConfig};
use crate::{
    gateway::{Gateway, GatewayBuilder, GatewayErrors},
    headers::{IpRange, forwarded::Forwarding},
};

/// Looks for everything that is wrong with the settings themselves, without opening, starting or calling
/// anything.
pub(super) fn check(config: &GatewayConfig) -> Report {
    let mut report = Report::default();
    let kept = Kept::default();
    let mut parts = Parts::new(None, &kept);
    if let Some(text) = &config.defaults.policy {
        report.check("defaults.policy", text.parse::<msf_auth::Policy>());
    }
    server::check(config, &mut report);
    if let Some(registry) = &config.registry {
        registry::check(registry, &mut report);
    }
    if let Some(auth) = &config.auth {
        auth::verifier(auth, None, &mut report);
    }
    forwarding(config, &mut report);
    clusters::clusters(config, &mut report);
    routes::routes(config, &mut parts, &mut report);
    report
}

/// Makes one gateway after the other, and keeps what did not change.
#[derive(Clone, Debug)]
pub(crate) struct Assembly {
    metrics: Metrics,
    client: Client,
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
                kept: Kept::default(),
            }),
            _ => Err(ConfigErrors::new(report.into_problems())),
        }
    }

    /// The first gateway.
    pub(crate) fn build(&mut self, config: &GatewayConfig) -> Result<Gateway, ConfigErrors> {
        let (builder, kept) = self.builder(config)?;
        let gateway = builder.build();
        let mut gateway = gateway.map_err(|errors| blamed(config, &errors))?;
        // Each route enforces its own, and the next configuration may have a larger one.
        gateway.body_limit_max = usize::MAX;
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
        let revision = applied.map_err(|errors| blamed(config, &errors))?;
        self.kept = kept;
        Ok(revision)
    }

    fn builder(&self, config: &GatewayConfig) -> Result<(GatewayBuilder, Kept), ConfigErrors> {
        let mut report = Report::default();
        let mut parts = Parts::new(Some(&self.metrics), &self.kept);
        let mut builder = Gateway::builder(self.client.clone())
            .metrics(&self.metrics)
            .forwarding(forwarding(config, &mut report))
            .clusters(clusters::clusters(config, &mut report))
            .routes(routes::routes(config, &mut parts, &mut report));
        if config.expose_metrics {
            builder = builder.expose_metrics();
        }
        if let Some(log) = server::access_log(config, &mut report) {
            builder = builder.access_log(log);
        }
        let mut kept = parts.next;
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
        if report.len() > 0 {
            return Err(ConfigErrors::new(report.into_problems()));
        }
        Ok((builder, kept))
    }
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

fn forwarding(config: &GatewayConfig, report: &mut Report) -> Forwarding {
    let mut forwarding = Forwarding::default();
    let Some(listener) = config.listeners.first() else {
        return forwarding;
    };
    let proxies: Vec<IpRange> = headers::ranges(
        &listener.trusted_proxies,
        "listeners[0].trusted_proxies",
        report,
    );
    for range in proxies {
        forwarding = forwarding.trust(range);
    }
    if listener.https {
        forwarding = forwarding.https();
    }
    if listener.forwarded {
        forwarding = forwarding.rfc7239();
    }
    forwarding
}

fn blamed(config: &GatewayConfig, errors: &GatewayErrors) -> ConfigErrors {
    ConfigErrors::new(blame::problems(config, errors.all()))
}
