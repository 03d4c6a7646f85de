//! Clusters.

use std::num::NonZeroU16;

use msf_client::transport::Protocol;
use msf_core::name::ServiceName;
use msf_registry::{Balance, HealthCheck, LoadBalancing, Outliers};
use msf_resilience::circuit_breaker;

use super::report::Report;
use crate::{
    cluster::{Cluster, ClusterHealth},
    config::{
        BreakerConfig, ClusterConfig, GatewayConfig, HealthConfig, LoadBalancingConfig,
        OutlierConfig, ProtocolConfig,
    },
};

pub(super) fn clusters(config: &GatewayConfig, report: &mut Report) -> Vec<Cluster> {
    let clusters = config.clusters.iter();
    clusters
        .map(|(name, cluster)| {
            let at = format!("clusters.{name}");
            report.check(&at, ServiceName::new(name));
            let has_registry = config.registry.is_some();
            let built = one(name, cluster, &at, has_registry, report);
            match (cluster.timeout, config.defaults.timeout) {
                (Some(timeout), _) | (None, Some(timeout)) => built.timeout(timeout.get()),
                (None, None) => built,
            }
        })
        .collect()
}

fn one(
    name: &str,
    config: &ClusterConfig,
    at: &str,
    has_registry: bool,
    report: &mut Report,
) -> Cluster {
    let mut cluster = match (config.discover, &config.endpoints[..]) {
        (true, []) => {
            if !has_registry {
                report.hint(
                    format!("{at}.discover"),
                    "needs a registry",
                    "add a [registry] with `file` or `http`",
                );
            }
            Cluster::discovered(name)
        }
        (true, _) => {
            report.at(
                format!("{at}.endpoints"),
                "cannot stand beside `discover = true`",
            );
            Cluster::new(name)
        }
        (false, []) => {
            report.hint(
                format!("{at}.endpoints"),
                "must be set",
                "as [\"http://10.0.0.1:9001\"], or set `discover = true`",
            );
            Cluster::new(name)
        }
        (false, endpoints) => {
            let endpoints = endpoints.iter().enumerate();
            endpoints.fold(Cluster::new(name), |cluster, (place, endpoint)| {
                let at = || format!("{at}.endpoints[{place}].weight");
                let weight = u16::try_from(endpoint.weight.unwrap_or(1));
                match weight.ok().and_then(NonZeroU16::new) {
                    Some(weight) => cluster.weighted_endpoint(&endpoint.url, weight),
                    None => {
                        report.at(at(), "must be 1 to 65535");
                        cluster
                    }
                }
            })
        }
    };
    if config.lb.is_some() || config.outlier.is_some() {
        cluster = cluster.load_balancing(load_balancing(config, at, report));
    }
    if let Some(breaker) = &config.breaker {
        let settings = breaker_settings(breaker, &format!("{at}.breaker"), report);
        cluster = cluster.breaker(move |breaker| breaker.config(&settings));
    }
    let limits = &config.limits;
    if let Some(connections) = limits.connections_max {
        cluster = cluster.max_connections(connections);
    }
    match (limits.queue_max, limits.queue_timeout) {
        (None, None) => {}
        (max, timeout) => {
            cluster = cluster.queue(
                max.unwrap_or(QUEUE_MAX),
                timeout.map_or(QUEUE_TIMEOUT, |timeout| timeout.get()),
            );
        }
    }
    if limits.idle_max.is_some() {
        report.unsupported(format!("{at}.limits.idle_max"));
    }
    if limits.idle_timeout.is_some() {
        report.unsupported(format!("{at}.limits.idle_timeout"));
    }
    if let Some(health) = &config.health {
        cluster = checked(
            cluster,
            health,
            config.discover,
            &format!("{at}.health"),
            report,
        );
    }
    if let Some(timeout) = config.connect_timeout {
        cluster = cluster.connect_timeout(timeout.get());
    }
    match config.protocol {
        Some(ProtocolConfig::H2c) => cluster.protocol(Protocol::H2c),
        Some(ProtocolConfig::Http1) | None => cluster,
    }
}

/// The cluster, whose endpoints are asked whether they work.
fn checked(
    cluster: Cluster,
    config: &HealthConfig,
    is_discovered: bool,
    at: &str,
    report: &mut Report,
) -> Cluster {
    if is_discovered {
        report.at(
            at,
            "is for `endpoints`; of a discovered cluster the registry knows",
        );
        return cluster;
    }
    let Some(check) = &config.check else {
        report.hint(format!("{at}.check"), "must be set", "as \"/healthz\"");
        return cluster;
    };
    if report
        .check(format!("{at}.check"), check.parse::<HealthCheck>())
        .is_none()
    {
        return cluster;
    }
    let mut health = ClusterHealth::new(check);
    if let Some(interval) = config.interval {
        health = health.interval(interval.get());
    }
    if let Some(timeout) = config.timeout {
        health = health.timeout(timeout.get());
    }
    if let Some(passes) = config.rise {
        health = health.rise(passes);
    }
    if let Some(failures) = config.fall {
        health = health.fall(failures);
    }
    cluster.health(health)
}

/// How calls of a cluster are spread; also of those that the registry finds.
pub(super) fn load_balancing(
    config: &ClusterConfig,
    at: &str,
    report: &mut Report,
) -> LoadBalancing {
    let balance = match config.lb {
        None | Some(LoadBalancingConfig::PeakEwma) => Balance::PeakEwma,
        Some(LoadBalancingConfig::LeastRequest) => Balance::LeastRequest,
        Some(LoadBalancingConfig::RoundRobin) => Balance::RoundRobin,
        Some(LoadBalancingConfig::Random) => Balance::Random,
    };
    let settings = LoadBalancing::new(balance);
    let Some(outlier) = &config.outlier else {
        return settings;
    };
    if outlier.off {
        return settings.without_outliers();
    }
    let outliers = outliers(outlier);
    if let Err(error) = outliers.validate() {
        report.at(
            format!("{at}.outlier.{}", error.field),
            format_args!("must be {}", error.allowed),
        );
    }
    settings.outliers(outliers)
}

fn outliers(config: &OutlierConfig) -> Outliers {
    let mut outliers = Outliers::default();
    if let Some(failures) = config.consecutive {
        outliers = outliers.consecutive(failures);
    }
    if let Some(part) = config.success_rate {
        outliers = outliers.success_rate(part);
    }
    if let Some(calls) = config.calls_min {
        outliers = outliers.calls_min(calls);
    }
    if let Some(window) = config.window {
        outliers = outliers.window(window.get());
    }
    if let Some(base) = config.base {
        outliers = outliers.base(base.get());
    }
    if let Some(max) = config.max {
        outliers = outliers.max(max.get());
    }
    if let Some(part) = config.max_ejected {
        outliers = outliers.max_ejected(part);
    }
    outliers
}

fn breaker_settings(
    config: &BreakerConfig,
    at: &str,
    report: &mut Report,
) -> circuit_breaker::Config {
    let mut settings = circuit_breaker::Config::default();
    settings.failure_rate = config.failure_rate;
    settings.consecutive_failures = config.consecutive_failures;
    match (config.slow_rate, config.slow_after) {
        (Some(rate), Some(after)) => {
            let after = after.get();
            settings.slow = Some(circuit_breaker::SlowConfig { rate, after });
        }
        (None, None) => {}
        (Some(_), None) => report.at(format!("{at}.slow_after"), "is needed with `slow_rate`"),
        (None, Some(_)) => report.at(format!("{at}.slow_rate"), "is needed with `slow_after`"),
    }
    if let Some(window) = config.window {
        settings.window = window.get();
    }
    if let Some(calls) = config.min_calls {
        settings.min_calls = calls;
    }
    if let Some(wait) = config.open_for {
        settings.open_for = wait.get();
    }
    if let Some(wait) = config.open_max {
        settings.open_max = wait.get();
    }
    if let Some(permits) = config.half_open_permits {
        settings.half_open_permits = permits;
    }
    let trial = circuit_breaker::CircuitBreaker::builder("check").config(&settings);
    report.check(at, trial.check());
    settings
}

/// The defaults of the transport, for whoever sets one of the two.
const QUEUE_MAX: usize = 256;
const QUEUE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);
