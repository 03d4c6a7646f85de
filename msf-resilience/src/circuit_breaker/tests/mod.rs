//! The circuit against its rules and against a naive model, and the handle with a clock.

mod against_model;
mod handle;
mod model;
mod rules;

use super::settings::Settings;

const SECOND: u64 = 1_000_000_000;

/// The defaults, without jitter.
fn settings() -> Settings {
    Settings {
        failure_rate: 5_000,
        min_calls: 20,
        bucket_ns: SECOND,
        open_for_ns: 5 * SECOND,
        open_max_ns: 60 * SECOND,
        jitter: 0,
        half_open_permits: 5,
        half_open_max_wait_ns: 30 * SECOND,
    }
}
