//! Limits of what runs at one time, far from full.

use std::{hint::black_box, time::Duration};

use msf_core::BoxError;
use msf_resilience::{
    adaptive::{self, AdaptiveLayer, AdaptiveLimit},
    bulkhead::{Bulkhead, BulkheadLayer},
    load_shed::{LoadShed, LoadShedLayer, Priority},
};
use tower::{Layer, limit::ConcurrencyLimitLayer, load_shed::LoadShedLayer as TowerLoadShed};
use tower_resilience::{
    adaptive::{AdaptiveLimiterLayer, Aimd, Vegas},
    bulkhead::BulkheadLayer as TowerResilienceBulkhead,
};

use crate::{
    Bare,
    breakers::judge,
    calls::{Answers, missed},
    service,
    table::Table,
};

const ROOM: u32 = 1_000;

pub(crate) fn rows(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    table.heading("bulkhead");
    let bulkhead = Bulkhead::builder("room").max_concurrent(ROOM).build()?;
    let layer = BulkheadLayer::new(bulkhead.clone());
    service(table, bare.at_once, "msf, reject", layer.layer(Answers)).target(15.0, 60.0);
    service(
        table,
        bare.at_once,
        "msf, wait",
        layer.waiting().layer(Answers),
    );
    let handle = bulkhead.clone();
    table.operation("msf, the handle alone", None, move || {
        if black_box(handle.try_acquire()).is_err() {
            missed();
        }
    });
    let layer = TowerResilienceBulkhead::builder()
        .max_concurrent_calls(ROOM as usize)
        .reject_when_full()
        .build()?;
    service(
        table,
        bare.at_once,
        "tower-resilience, reject",
        layer.layer(Answers),
    );
    let layer = ConcurrencyLimitLayer::new(ROOM as usize);
    service(
        table,
        bare.at_once,
        "tower ConcurrencyLimit",
        layer.layer(Answers),
    );
    table.heading("load shed");
    let shed = LoadShed::builder("shed").signal(bulkhead).build()?;
    let layer = LoadShedLayer::new(shed, |_: &u64| Priority::DEFAULT);
    service(
        table,
        bare.at_once,
        "msf, by priority",
        layer.layer(Answers),
    );
    let layer = TowerLoadShed::new();
    service(
        table,
        bare.at_once,
        "tower (of an unlimited service)",
        layer.layer(Answers),
    );
    table.heading("adaptive concurrency");
    for (name, limit) in [
        (
            "msf, AIMD",
            AdaptiveLimit::builder("aimd").algorithm(adaptive::Aimd::new()),
        ),
        (
            "msf, Vegas",
            AdaptiveLimit::builder("vegas").algorithm(adaptive::Vegas::new()),
        ),
        (
            "msf, Gradient2",
            AdaptiveLimit::builder("gradient").algorithm(adaptive::Gradient2::new()),
        ),
    ] {
        let layer = AdaptiveLayer::new(limit.build()?).classify(judge);
        service(table, bare.at_once, name, layer.layer(Answers));
    }
    let aimd = Aimd::builder()
        .initial_limit(ROOM as usize)
        .max_limit(ROOM as usize)
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
        .initial_limit(ROOM as usize)
        .max_limit(ROOM as usize)
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
