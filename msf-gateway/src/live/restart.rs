//! What cannot change while the gateway runs.

use crate::config::{GatewayConfig, says_spread};

/// The keys of `next` that count only after a restart of a process that started with `first`.
pub(super) fn needed(first: &GatewayConfig, next: &GatewayConfig) -> Vec<String> {
    let mut keys = Vec::new();
    let mut note = |is_changed: bool, key: &str| {
        if is_changed {
            keys.push(key.to_owned());
        }
    };
    note(first.workers != next.workers, "workers");
    note(first.admin != next.admin, "admin");
    note(first.drain != next.drain, "drain");
    note(first.access_log != next.access_log, "access_log");
    note(first.connections != next.connections, "connections");
    note(first.trust_trace != next.trust_trace, "trust_trace");
    note(first.zone != next.zone && first.registry.is_some(), "zone");
    note(first.listeners.len() != next.listeners.len(), "listeners");
    for (place, (first, next)) in first.listeners.iter().zip(&next.listeners).enumerate() {
        note(first.bind != next.bind, &format!("listeners[{place}].bind"));
        let at = format!("listeners[{place}].limits");
        note(first.limits != next.limits, &at);
        let at = format!("listeners[{place}].proxy_protocol");
        note(first.proxy_protocol != next.proxy_protocol, &at);
        let at = format!("listeners[{place}].tls");
        note(first.tls.is_some() != next.tls.is_some(), &at);
    }
    for (name, next) in &next.clusters {
        // Whoever finds the instances also spreads the calls, and was told how when the process started.
        let Some(first) = first.clusters.get(name).filter(|first| first.discover) else {
            let is_new = next.discover && says_spread(next);
            note(is_new, &format!("clusters.{name}"));
            continue;
        };
        if next.discover {
            note(first.lb != next.lb, &format!("clusters.{name}.lb"));
            let is_new = first.slow_start != next.slow_start
                || first.panic_threshold != next.panic_threshold
                || first.subset != next.subset
                || first.bounded_load != next.bounded_load
                || first.zone_aware != next.zone_aware;
            note(is_new, &format!("clusters.{name}"));
            note(
                first.outlier != next.outlier,
                &format!("clusters.{name}.outlier"),
            );
        }
    }
    keys
}

/// What would leave routes without their services: it is refused, rather than applied by half.
pub(super) fn refused(first: &GatewayConfig, next: &GatewayConfig) -> Option<&'static str> {
    (first.registry != next.registry).then_some("registry")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(cluster: &str) -> GatewayConfig {
        let text = format!(
            "[[listeners]]\nbind = \"127.0.0.1:0\"\n[registry]\nfile = \"services.json\"\n{cluster}\n\
             [[routes]]\nmatch = {{ path = \"/**\" }}\nto = \"carts\"\n"
        );
        GatewayConfig::load("gateway.toml", &text).unwrap()
    }

    /// The registry was told when the process started how each service is balanced.
    #[test]
    fn a_discovered_cluster_that_comes_later_is_spread_as_it_says_after_a_restart() {
        let (without, plain) = (config(""), config("[clusters.carts]\ndiscover = true"));
        let spread = config("[clusters.carts]\ndiscover = true\nlb = \"maglev\"");
        for first in [&without, &plain] {
            assert!(!needed(first, &spread).is_empty());
        }
        assert_eq!(needed(&without, &spread), ["clusters.carts"]);
        assert!(needed(&without, &plain).is_empty());
        assert!(needed(&spread, &spread).is_empty());
    }
}
