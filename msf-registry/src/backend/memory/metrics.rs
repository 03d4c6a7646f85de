//! What a registry counts about itself.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use msf_core::{
    clock,
    metrics::{Counter, GaugeFamily, Metrics, MetricsError},
};

use super::{registry::MemoryRegistry, state::Tally};
use crate::metrics::{CONFLICTS, EVICTIONS, PAUSES, PRESERVATION};

impl MemoryRegistry {
    /// Registers its [metrics](crate::catalogue): who was let go and why, which services are preserved, ids
    /// that two processes claim, and how often the process stood still. They are read before every scrape.
    ///
    /// ```
    /// use msf_core::metrics::Metrics;
    /// use msf_registry::backend::memory::MemoryRegistry;
    ///
    /// let metrics = Metrics::new();
    /// let registry = MemoryRegistry::new();
    /// registry.register_metrics(&metrics)?;
    /// assert!(metrics.render().contains(r#"msf_registry_evictions_total{reason="expired"} 0"#));
    /// # Ok::<(), msf_core::metrics::MetricsError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MetricsError`] when one of the names is taken by another shape.
    pub fn register_metrics(&self, metrics: &Metrics) -> Result<(), MetricsError> {
        let evictions = EVICTIONS.register(metrics)?;
        let conflicts = CONFLICTS.register(metrics)?;
        let counters: [(Counter, fn(&Tally) -> u64); 6] = [
            (evictions.with(["expired"]), |t| t.expired),
            (evictions.with(["refuted"]), |t| t.refuted),
            (evictions.with(["overstayed"]), |t| t.overstayed),
            (conflicts.with(["displaced"]), |t| t.displaced),
            (conflicts.with(["refused"]), |t| t.refused),
            (PAUSES.register(metrics)?.with([]), |t| t.pauses),
        ];
        let preserved = Preserved {
            gauge: PRESERVATION.register(metrics)?,
            shown: BTreeSet::new(),
        };
        // Scrapes may overlap; what was counted since the last one is added once.
        let last = Mutex::new((Tally::default(), preserved));
        metrics.on_scrape_of(&self.shared, move |shared| {
            let (tally, (names, is_whole)) = {
                let mut state = shared.state();
                let preserved = state.preserved(clock::now());
                (state.tally(), preserved)
            };
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            for (counter, count) in &counters {
                counter.inc_by(count(&tally).saturating_sub(count(&last.0)));
            }
            last.0 = tally;
            let names = names.iter().map(ToString::to_string);
            last.1
                .show(names.chain(is_whole.then(|| WHOLE.to_owned())).collect());
        });
        Ok(())
    }
}

/// One where a service is preserved, and zero where it was.
struct Preserved {
    gauge: GaugeFamily<1>,
    shown: BTreeSet<String>,
}

impl Preserved {
    fn show(&mut self, now: BTreeSet<String>) {
        for ended in self.shown.difference(&now) {
            self.gauge.with([ended]).set(0.0);
        }
        for begun in &now {
            self.gauge.with([begun]).set(1.0);
        }
        self.shown = now;
    }
}

/// No service can be called so.
const WHOLE: &str = "*";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use msf_core::{
        name::{InstanceId, ServiceName},
        testing::advance,
    };

    use super::{super::SelfPreservation, *};
    use crate::model::Instance;

    #[tokio::test(start_paused = true)]
    async fn every_figure_follows_the_memory() {
        let (metrics, ttl) = (Metrics::new(), Duration::from_secs(15));
        let registry = MemoryRegistry::builder()
            .self_preservation(SelfPreservation::new())
            .build();
        registry.register_metrics(&metrics).unwrap();
        let service = ServiceName::new("payment").unwrap();
        let instance = |n: u16| {
            let id = InstanceId::new(format!("p-{n}")).unwrap();
            Instance::new(service.clone(), id, ([127, 0, 0, 1], 100 + n).into())
        };
        let lone = registry.register_now(&instance(0), ttl).unwrap();
        advance(ttl).await;
        drop(lone);
        let leases: Vec<_> = (0..8)
            .map(|n| registry.register_now(&instance(n), ttl).unwrap())
            .collect();
        let elsewhere = instance(0).moved_to(([127, 0, 0, 1], 9).into());
        registry.register_now(&elsewhere, ttl).unwrap();
        registry.register_now(&instance(0), ttl).unwrap_err();
        advance(2 * ttl).await;
        for line in [
            r#"msf_registry_evictions_total{reason="expired"} 1"#,
            r#"msf_registry_evictions_total{reason="overstayed"} 0"#,
            r#"msf_registry_id_conflicts_total{outcome="displaced"} 1"#,
            r#"msf_registry_id_conflicts_total{outcome="refused"} 1"#,
            r#"msf_registry_self_preservation{service="payment"} 1"#,
            "msf_registry_pauses_total 0",
        ] {
            let text = metrics.render();
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        for lease in &leases[1..] {
            registry.renew_now(lease);
        }
        advance(Duration::from_secs(5)).await;
        let text = metrics.render();
        let ended = r#"msf_registry_self_preservation{service="payment"} 0"#;
        assert!(text.contains(ended), "{text}");
        assert!(text.contains(r#"reason="expired"} 2"#), "{text}");
    }
}
