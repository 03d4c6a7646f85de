//! Limits of what runs at one time, far from full.

use std::time::Duration;

use msf_core::BoxError;
use tower::{Layer, limit::ConcurrencyLimitLayer, load_shed::LoadShedLayer};
use tower_resilience::{
    adaptive::{AdaptiveLimiterLayer, Aimd, Vegas},
    bulkhead::BulkheadLayer,
};

use crate::{Bare, calls::Answers, service, table::Table};

const ROOM: usize = 1_000;

#[expect(clippy::unnecessary_wraps, reason = "as the other groups")]
pub(crate) fn rows(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    table.heading("bulkhead");
    let layer = BulkheadLayer::builder()
        .max_concurrent_calls(ROOM)
        .reject_when_full()
        .build()?;
    service(
        table,
        bare.at_once,
        "tower-resilience, reject",
        layer.layer(Answers),
    );
    let layer = ConcurrencyLimitLayer::new(ROOM);
    service(
        table,
        bare.at_once,
        "tower ConcurrencyLimit",
        layer.layer(Answers),
    );
    table.heading("load shed");
    let layer = LoadShedLayer::new();
    service(
        table,
        bare.at_once,
        "tower (of an unlimited service)",
        layer.layer(Answers),
    );
    table.heading("adaptive concurrency");
    let aimd = Aimd::builder()
        .initial_limit(ROOM)
        .max_limit(ROOM)
        .latency_threshold(Duration::from_secs(1))
        .build()?;
    let layer = AdaptiveLimiterLayer::new(aimd);
    service(
        table,
        bare.at_once,
        "tower-resilience, AIMD",
        layer.layer(Answers),
    );
    let vegas = Vegas::builder()
        .initial_limit(ROOM)
        .max_limit(ROOM)
        .build()?;
    let layer = AdaptiveLimiterLayer::new(vegas);
    service(
        table,
        bare.at_once,
        "tower-resilience, Vegas",
        layer.layer(Answers),
    );
    Ok(())
}
