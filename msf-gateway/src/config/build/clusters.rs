//! Clusters.

use std::{collections::BTreeSet, num::NonZeroU16};

use http::{HeaderMap, HeaderName, HeaderValue};
use msf_client::transport::Protocol;
use msf_core::name::ServiceName;
use msf_registry::{
    Balance, HealthCheck, LoadBalancing, Outliers, SlowStart, ZoneAware, balance::Subset,
};
use msf_resilience::circuit_breaker;

use super::{identity, report::Report};
use crate::{
    cluster::{Cluster, ClusterHealth, HashBy, InvalidCluster, endpoint},
    config::{
        BreakerConfig, ClusterConfig, GatewayConfig, HealthConfig, LoadBalancingConfig,
        OutlierConfig, ProtocolConfig, SlowStartConfig, TargetConfig, ZoneAwareConfig,
    },
};

pub(super) fn clusters(config: &GatewayConfig, report: &mut Report) -> Vec<Cluster> {
    let clusters = config.clusters.iter();
    let mut clusters: Vec<Cluster> = clusters
        .map(|(name, cluster)| {
            let at = format!("clusters.{name}");
            report.check(&at, ServiceName::new(name));
            let built = one(name, cluster, &at, config, report);
            match (cluster.timeout, config.defaults.timeout) {
                (Some(timeout), _) | (None, Some(timeout)) => built.timeout(timeout.get()),
                (None, None) => built,
            }
        })
        .collect();
    // A service that nothing is said about has the defaults all the same.
    if let (Some(timeout), true) = (config.defaults.timeout, config.registry.is_some()) {
        let services = services(config).into_iter();
        clusters.extend(services.map(|name| Cluster::discovered(name).timeout(timeout.get())));
    }
    clusters
}

/// The services of the registry that routes lead to without a cluster.
fn services(config: &GatewayConfig) -> BTreeSet<&str> {
    let targets = config.routes.iter().flat_map(|route| match &route.to {
        None => Vec::new(),
        Some(TargetConfig::One(name)) => vec![name.as_str()],
        Some(TargetConfig::Split(parts)) => {
            parts.iter().map(|part| part.cluster.as_str()).collect()
        }
    });
    targets
        .filter(|name| !config.clusters.contains_key(*name) && ServiceName::new(*name).is_ok())
        .collect()
}

fn one(
    name: &str,
    config: &ClusterConfig,
    at: &str,
    root: &GatewayConfig,
    report: &mut Report,
) -> Cluster {
    let mut cluster = match (config.discover, &config.endpoints[..]) {
        (true, []) => {
            if root.registry.is_none() {
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
            let mut seen = BTreeSet::new();
            endpoints.fold(Cluster::new(name), |cluster, (place, endpoint)| {
                let at_endpoint = format!("{at}.endpoints[{place}]");
                if let Some(addr) = report.check(&at_endpoint, endpoint::parse(&endpoint.url))
                    && !seen.insert(addr)
                {
                    report.at(&at_endpoint, InvalidCluster::Duplicate(addr.to_string()));
                }
                let at = || format!("{at}.endpoints[{place}].weight");
                let weight = u16::try_from(endpoint.weight.unwrap_or(1));
                if let Some(zone) = &endpoint.zone {
                    checked_zone(zone, || format!("{at_endpoint}.zone"), report);
                }
                match (weight.ok().and_then(NonZeroU16::new), &endpoint.zone) {
                    (Some(weight), None) => cluster.weighted_endpoint(&endpoint.url, weight),
                    (Some(weight), Some(zone)) => cluster.endpoint_in(zone, &endpoint.url, weight),
                    (None, _) => {
                        report.at(at(), "must be 1 to 65535");
                        cluster
                    }
                }
            })
        }
    };
    // What is wrong is told also of those whose calls the registry spreads.
    if spreads(config, root) {
        let zone = root.zone.as_deref();
        let load_balancing = load_balancing(config, at, zone, report);
        if !config.discover {
            cluster = cluster.load_balancing(load_balancing);
        }
    }
    if let Some(by) = hash_by(config, root, at, report) {
        cluster = cluster.hash_by(by);
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
    if let Some(max) = limits.idle_max {
        cluster = cluster.idle_max(max);
    }
    if let Some(timeout) = limits.idle_timeout {
        cluster = cluster.idle_timeout(timeout.get());
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
    if config.timeout.is_some_and(|it| it.get().is_zero()) {
        report.at(format!("{at}.timeout"), "must be above zero");
    }
    if config.connect_timeout.is_some_and(|it| it.get().is_zero()) {
        report.at(format!("{at}.connect_timeout"), "must be above zero");
    }
    if limits.connections_max == Some(0) {
        report.at(format!("{at}.limits.connections_max"), "must be 1 or more");
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

const OFF_BESIDE: &str = "leaves the other keys of its table without effect";
const OFF_ALONE: &str = "set `off` alone, or leave it out";

/// Whether something is said about how its calls are spread.
pub(super) fn spreads(config: &ClusterConfig, root: &GatewayConfig) -> bool {
    root.zone.is_some() || says_spread(config)
}

/// Whether it says so itself.
pub(crate) fn says_spread(config: &ClusterConfig) -> bool {
    config.lb.is_some()
        || config.bounded_load.is_some()
        || config.zone_aware.is_some()
        || config.outlier.is_some()
        || config.slow_start.is_some()
        || config.panic_threshold.is_some()
        || config.subset.is_some()
}

/// How calls of a cluster are spread; also of those that the registry finds.
pub(super) fn load_balancing(
    config: &ClusterConfig,
    at: &str,
    zone: Option<&str>,
    report: &mut Report,
) -> LoadBalancing {
    let balance = match config.lb {
        None | Some(LoadBalancingConfig::PeakEwma) => Balance::PeakEwma,
        Some(LoadBalancingConfig::LeastRequest) => Balance::LeastRequest,
        Some(LoadBalancingConfig::RoundRobin) => Balance::RoundRobin,
        Some(LoadBalancingConfig::Random) => Balance::Random,
        Some(LoadBalancingConfig::Maglev) => Balance::Maglev,
        Some(LoadBalancingConfig::RingHash) => Balance::RingHash,
        Some(LoadBalancingConfig::Rendezvous) => Balance::Rendezvous,
    };
    let before = report.len();
    let mut settings = LoadBalancing::new(balance);
    // What is wrong with it is told once, at its own key.
    if let Some(zone) = zone.filter(|zone| is_zone(zone)) {
        settings = settings.zone(zone);
    }
    if let Some(aware) = &config.zone_aware {
        settings = settings.zone_aware(zone_aware(aware, at, zone, report));
    }
    if let Some(factor) = config.bounded_load {
        if balance.is_hashing() {
            settings = settings.bounded_load(factor);
        } else {
            report.hint(format!("{at}.bounded_load"), NOT_HASHING, HASHING);
        }
    }
    if let Some(slow_start) = &config.slow_start {
        let at = format!("{at}.slow_start");
        settings = slowly(settings, slow_start, &at, report);
    }
    if let Some(part) = config.panic_threshold {
        settings = settings.panic_threshold(part);
    }
    if let Some(size) = config.subset {
        settings = settings.subset(Subset::of(size));
    }
    let settings = ejecting(settings, config, at, report);
    // What is wrong with these has places of its own.
    if report.len() == before
        && let Err(error) = settings.validate()
    {
        report.at(at, error);
    }
    settings
}

fn zone_aware(
    config: &ZoneAwareConfig,
    at: &str,
    zone: Option<&str>,
    report: &mut Report,
) -> ZoneAware {
    if zone.is_none() {
        report.hint(
            format!("{at}.zone_aware"),
            "needs to know where the gateway runs",
            "set `zone` at the top of the file",
        );
    }
    for name in config.gateways.keys() {
        checked_zone(name, || format!("{at}.zone_aware.gateways"), report);
    }
    if !config.gateways.is_empty() && config.gateways.values().all(|count| *count == 0) {
        report.at(
            format!("{at}.zone_aware.gateways"),
            "must have one that is above 0",
        );
    }
    let mut aware = ZoneAware::default();
    if let Some(instances) = config.instances_min {
        aware = aware.instances_min(instances);
    }
    aware.callers(
        config
            .gateways
            .iter()
            .map(|(zone, count)| (zone.as_str(), *count)),
    )
}

/// What its requests are kept together by.
fn hash_by(
    config: &ClusterConfig,
    root: &GatewayConfig,
    at: &str,
    report: &mut Report,
) -> Option<HashBy> {
    let text = config.hash_by.as_ref()?;
    let is_hashing = matches!(
        config.lb,
        Some(
            LoadBalancingConfig::Maglev
                | LoadBalancingConfig::RingHash
                | LoadBalancingConfig::Rendezvous
        )
    );
    if !is_hashing {
        report.hint(format!("{at}.hash_by"), NOT_HASHING, HASHING);
        return None;
    }
    let by = report.check(format!("{at}.hash_by"), text.parse())?;
    if let HashBy::Header(name) = &by
        && is_removed(name, root)
    {
        report.hint(
            format!("{at}.hash_by"),
            "is a header that no client may send, and is removed before",
            "a header or cookie of the client's own, or `client`",
        );
        return None;
    }
    Some(by)
}

fn is_removed(name: &HeaderName, root: &GatewayConfig) -> bool {
    // What is wrong with them is reported elsewhere.
    let identity = identity::headers(&root.identity_headers, &mut Report::default());
    let mut sent = HeaderMap::new();
    sent.insert(name, HeaderValue::from_static("1"));
    identity.strip(&mut sent);
    sent.is_empty()
}

/// Reports what is no name of a zone.
pub(super) fn checked_zone(zone: &str, at: impl FnOnce() -> String, report: &mut Report) {
    if !is_zone(zone) {
        report.at(at(), "must be 1 to 64 bytes");
    }
}

const fn is_zone(zone: &str) -> bool {
    !zone.is_empty() && zone.len() <= 64
}

fn slowly(
    settings: LoadBalancing,
    config: &SlowStartConfig,
    at: &str,
    report: &mut Report,
) -> LoadBalancing {
    if config.off {
        let alone = SlowStartConfig {
            off: true,
            ..SlowStartConfig::default()
        };
        if *config != alone {
            report.hint(format!("{at}.off"), OFF_BESIDE, OFF_ALONE);
        }
        return settings.without_slow_start();
    }
    let mut slow_start = SlowStart::default();
    if let Some(window) = config.window {
        slow_start = slow_start.window(window.get());
    }
    if let Some(min) = config.min {
        slow_start = slow_start.min(min);
    }
    if let Some(aggression) = config.aggression {
        slow_start = slow_start.aggression(aggression);
    }
    settings.slow_start(slow_start)
}

fn ejecting(
    settings: LoadBalancing,
    config: &ClusterConfig,
    at: &str,
    report: &mut Report,
) -> LoadBalancing {
    let Some(outlier) = &config.outlier else {
        return settings;
    };
    if outlier.off {
        let alone = OutlierConfig {
            off: true,
            ..OutlierConfig::default()
        };
        if *outlier != alone {
            report.hint(format!("{at}.outlier.off"), OFF_BESIDE, OFF_ALONE);
        }
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

const NOT_HASHING: &str = "is for an `lb` by hash";
const HASHING: &str = "set `lb` to maglev, ring_hash or rendezvous";
/// The defaults of the transport, for whoever sets one of the two.
const QUEUE_MAX: usize = 256;
const QUEUE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);
