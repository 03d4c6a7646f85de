//! What every store must answer, as data: the same cases run against memory and against Redis.
//!
//! All times are whole milliseconds and all distances whole microseconds, so that a store that counts in
//! microseconds has nothing to round. Real time passes for a store that cannot be paused, so a case that depends on an
//! exact moment leaves at least [`SLACK_MS`] to either side.

use std::time::Duration;

use super::quota::Quota;

/// One limit of a case: a suffix of the key, and the quota.
pub(crate) type Limit = (&'static str, Quota);

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Milliseconds since the first step.
    pub(crate) at_ms: u64,
    pub(crate) key: &'static str,
    pub(crate) action: Action,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// A call of this cost that is allowed, with what then remains in each limit.
    Allowed {
        cost: u32,
        remaining: &'static [u32],
    },
    /// A call of this cost that is refused, with the wait until it would be allowed, in milliseconds.
    Limited { cost: u32, retry_ms: u64 },
    /// So much is given back.
    Refund { cost: u32 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) limits: &'static [Limit],
    pub(crate) steps: &'static [Step],
}

/// How late a step may run without another answer; waits may be shorter by as much.
pub(crate) const SLACK_MS: u64 = 60;

const fn allowed(at_ms: u64, key: &'static str, cost: u32, remaining: &'static [u32]) -> Step {
    let action = Action::Allowed { cost, remaining };
    Step { at_ms, key, action }
}

const fn limited(at_ms: u64, key: &'static str, cost: u32, retry_ms: u64) -> Step {
    let action = Action::Limited { cost, retry_ms };
    Step { at_ms, key, action }
}

const fn refund(at_ms: u64, key: &'static str, cost: u32) -> Step {
    let action = Action::Refund { cost };
    Step { at_ms, key, action }
}

const fn ms(requests: u32, period: u64) -> Quota {
    Quota::per(requests, Duration::from_millis(period))
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a burst, then one by one",
        limits: &[("second", ms(10, 4_000).burst(3))],
        steps: &[
            allowed(0, "a", 1, &[2]),
            allowed(0, "a", 1, &[1]),
            allowed(0, "a", 1, &[0]),
            limited(0, "a", 1, 400),
            limited(200, "a", 1, 200),
            allowed(500, "a", 1, &[0]),
            limited(500, "a", 1, 300),
            allowed(900, "a", 1, &[0]),
        ],
    },
    Case {
        name: "a key has nothing to do with another",
        limits: &[("hour", Quota::per_hour(1))],
        steps: &[
            allowed(0, "a", 1, &[0]),
            limited(0, "a", 1, 3_600_000),
            allowed(0, "b", 1, &[0]),
            limited(0, "b", 1, 3_600_000),
        ],
    },
    Case {
        name: "a refusal costs nothing",
        limits: &[("second", ms(1, 400))],
        steps: &[
            allowed(0, "a", 1, &[0]),
            limited(0, "a", 1, 400),
            limited(100, "a", 1, 300),
            limited(200, "a", 1, 200),
            allowed(500, "a", 1, &[0]),
        ],
    },
    Case {
        name: "a cost takes so many at once or nothing",
        limits: &[("second", ms(5, 2_000))],
        steps: &[
            allowed(0, "a", 3, &[2]),
            limited(0, "a", 3, 400),
            allowed(0, "a", 2, &[0]),
            limited(0, "a", 5, 2_000),
            allowed(900, "a", 2, &[0]),
        ],
    },
    Case {
        name: "a cost of nothing only looks",
        limits: &[("hour", Quota::per_hour(2))],
        steps: &[
            allowed(0, "a", 0, &[2]),
            allowed(0, "a", 1, &[1]),
            allowed(0, "a", 0, &[1]),
            allowed(0, "a", 1, &[0]),
            allowed(0, "a", 0, &[0]),
            limited(0, "a", 1, 1_800_000),
        ],
    },
    Case {
        name: "a refund comes back, but never more than the burst",
        limits: &[("hour", Quota::per_hour(3))],
        steps: &[
            allowed(0, "a", 3, &[0]),
            refund(0, "a", 2),
            allowed(0, "a", 1, &[1]),
            refund(0, "a", 9),
            allowed(0, "a", 3, &[0]),
            refund(0, "never seen", 1),
            allowed(0, "never seen", 3, &[0]),
            limited(0, "never seen", 1, 1_200_000),
        ],
    },
    Case {
        name: "several limits charge all or none",
        limits: &[
            ("second", ms(2, 800)),
            ("day", Quota::per(3, Duration::from_secs(86_400))),
        ],
        steps: &[
            allowed(0, "a", 1, &[1, 2]),
            allowed(0, "a", 1, &[0, 1]),
            limited(0, "a", 1, 400),
            // Had the refusal charged the day, nothing would be left of it.
            allowed(500, "a", 1, &[0, 0]),
            limited(1_000, "a", 1, 28_799_000),
            // Had the refusal charged the second, it would not be whole again.
            limited(1_900, "a", 1, 28_798_100),
            allowed(1_900, "b", 2, &[0, 1]),
        ],
    },
];
