//! Timeouts that never expire: of an answer that is there at once, and of one that is waited for.

use std::time::Duration;

use msf_core::BoxError;
use msf_resilience::timeout::TimeoutLayer;
use seatbelt::{
    ResilienceContext,
    timeout::{Timeout, TimeoutLayer as SeatbeltTimeout},
    typestates::Set,
};
use tick::Clock;
use tower::{Layer, timeout::TimeoutLayer as TowerTimeout};
use tower_resilience::timelimiter::TimeLimiterLayer;

use crate::{
    Bare,
    calls::{Answers, AnswersLater, Failed},
    service,
    table::Table,
};

const LIMIT: Duration = Duration::from_secs(30);

#[expect(clippy::unnecessary_wraps, reason = "as the other groups")]
pub(crate) fn rows(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    table.heading("timeout, the answer is there at once");
    let base = bare.at_once;
    let ours = TimeoutLayer::new(LIMIT);
    service(table, base, "msf", ours.layer(Answers)).target(5.0, 5.0);
    service(
        table,
        base,
        "tower",
        TowerTimeout::new(LIMIT).layer(Answers),
    );
    service(
        table,
        base,
        "tower-resilience",
        time_limiter().layer(Answers),
    );
    service(table, base, "seatbelt, tower", seatbelt().layer(Answers));

    table.heading("timeout, the answer is waited for");
    let base = bare.later;
    service(table, base, "msf", ours.layer(AnswersLater));
    service(
        table,
        base,
        "tower",
        TowerTimeout::new(LIMIT).layer(AnswersLater),
    );
    service(
        table,
        base,
        "tower-resilience",
        time_limiter().layer(AnswersLater),
    );
    service(
        table,
        base,
        "seatbelt, tower",
        seatbelt().layer(AnswersLater),
    );
    Ok(())
}

fn time_limiter() -> TimeLimiterLayer {
    TimeLimiterLayer::builder()
        .timeout_duration(LIMIT)
        .cancel_running_future(true)
        .build()
}

fn seatbelt() -> SeatbeltTimeout<u64, Result<u64, Failed>, Set, Set> {
    let context = ResilienceContext::new(Clock::new_tokio());
    Timeout::layer("timeout", &context)
        .timeout_error(|_| Failed)
        .timeout(LIMIT)
}
