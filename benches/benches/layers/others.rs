//! Coalescing calls that have no equal in flight, and faults that are switched off.

use std::time::Duration;

use msf_core::BoxError;
use msf_resilience::{
    coalesce::{Coalesce, CoalesceLayer},
    fault::{FaultLayer, Faults},
};
use tower::Layer;
use tower_resilience::{chaos::ChaosLayer, coalesce::CoalesceLayer as TowerResilienceCoalesce};

use crate::{Bare, calls::Answers, service, table::Table};

pub(crate) fn rows(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    table.heading("coalesce, nobody asks the same");
    let coalesce = Coalesce::builder("same").build()?;
    let layer = CoalesceLayer::new(coalesce, |request: &u64| Some(*request));
    service(table, bare.at_once, "msf", layer.layer(Answers));
    let layer = TowerResilienceCoalesce::new(|request: &u64| *request);
    service(
        table,
        bare.at_once,
        "tower-resilience",
        layer.layer(Answers),
    );
    table.heading("fault injection, switched off");
    let faults = Faults::builder("off").error(0.1).build()?;
    service(
        table,
        bare.at_once,
        "msf",
        FaultLayer::new(faults).layer(Answers),
    );
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
