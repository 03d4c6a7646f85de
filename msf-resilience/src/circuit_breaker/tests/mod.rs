//! The circuit against its rules and against a naive model, and the handle with a clock.

mod against_model;
mod handle;
mod model;
mod modes;
mod pitfalls;
mod ramps;
mod rules;

use super::{
    settings::{Cancel, Length, Settings},
    slope::Slope,
};

const SECOND: u64 = 1_000_000_000;

/// The defaults, without jitter and ramp.
fn settings() -> Settings {
    Settings {
        failure_rate: 5_000,
        slow_rate: 0,
        slow_ns: 0,
        consecutive: 0,
        min_calls: 20,
        window: Length::Time { bucket_ns: SECOND },
        cancel: Cancel::Share(10_000),
        open_for_ns: 5 * SECOND,
        open_max_ns: 60 * SECOND,
        counts_cancelled_slow: false,
        jitter: 0,
        half_open_permits: 5,
        half_open_max_wait_ns: 30 * SECOND,
        ramp: Slope::NONE,
    }
}
