//! Coalescing calls that have no equal in flight, and faults that are switched off.

use std::time::Duration;

use msf_core::BoxError;
use tower::Layer;
use tower_resilience::{chaos::ChaosLayer, coalesce::CoalesceLayer};

use crate::{Bare, calls::Answers, service, table::Table};

#[expect(clippy::unnecessary_wraps, reason = "as the other groups")]
pub(crate) fn rows(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    table.heading("coalesce, nobody asks the same");
    let layer = CoalesceLayer::new(|request: &u64| *request);
    service(
        table,
        bare.at_once,
        "tower-resilience",
        layer.layer(Answers),
    );
    table.heading("fault injection, switched off");
    let layer = ChaosLayer::builder()
        .latency_rate(0.0)
        .min_latency(Duration::from_millis(1))
        .max_latency(Duration::from_millis(2))
        .build();
    service(
        table,
        bare.at_once,
        "tower-resilience",
        layer.layer(Answers),
    );
    Ok(())
}
