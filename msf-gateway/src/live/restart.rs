//! What cannot change while the gateway runs.

use crate::config::GatewayConfig;

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
        let Some(first) = first.clusters.get(name) else {
            continue;
        };
        if first.discover && next.discover {
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
