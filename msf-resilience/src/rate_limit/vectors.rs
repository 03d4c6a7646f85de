//! What every store must answer, as data: the same cases run against memory and against Redis.
//!
//! All times are whole milliseconds and all distances whole microseconds, so that a store that counts in
//! microseconds has nothing to round. Real time passes for a store that cannot be paused, so a case that depends on an
//! exact moment leaves at least [`SLACK_MS`] to either side.

use std::time::Duration;

use msf_core::clock;
use tokio::time::sleep_until;

use super::{
    gcra::{Gcra, duration, ticks},
    quota::Quota,
    store::{Demand, LimitStore},
};

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

/// Runs every case against a store, with keys that begin with `prefix`. Waits may be shorter than expected by `slack`: zero
/// where the clock is paused, [`SLACK_MS`] where it is not.
///
/// Panics with the name of the case and the step at the first answer that is another.
pub(crate) async fn run(store: &dyn LimitStore, prefix: &str, slack: Duration) {
    for (number, case) in CASES.iter().enumerate() {
        let start = clock::now();
        for (place, step) in case.steps.iter().enumerate() {
            sleep_until(start + Duration::from_millis(step.at_ms)).await;
            let at = format!("{}, step {place}", case.name);
            let keys: Vec<_> = case
                .limits
                .iter()
                .map(|(limit, _)| format!("{prefix}:{{{number}:{}}}:{limit}", step.key))
                .collect();
            let demands = |cost| -> Vec<_> {
                let pairs = keys.iter().zip(case.limits);
                pairs
                    .map(|(key, (_, quota))| Demand::new(key, *quota, cost))
                    .collect()
            };
            let gcras: Vec<_> = case
                .limits
                .iter()
                .map(|(_, quota)| Gcra::with_grain(quota, 0, ticks(store.grain()).max(1)))
                .collect();
            match step.action {
                Action::Refund { cost } => store.refund(&demands(cost)).await.expect(&at),
                Action::Allowed { cost, remaining } => {
                    let verdict = store.decide(&demands(cost)).await.expect(&at);
                    assert!(verdict.allowed, "{at}: {verdict:?}");
                    let pairs = gcras.iter().zip(&verdict.ahead);
                    let left: Vec<_> = pairs
                        .map(|(gcra, ahead)| gcra.remaining(ticks(*ahead)))
                        .collect();
                    assert_eq!(left, remaining, "{at}: {verdict:?}");
                }
                Action::Limited { cost, retry_ms } => {
                    let verdict = store.decide(&demands(cost)).await.expect(&at);
                    assert!(!verdict.allowed, "{at}: {verdict:?}");
                    let pairs = gcras.iter().zip(&verdict.ahead);
                    let waits = pairs.map(|(gcra, ahead)| gcra.wait(ticks(*ahead), cost));
                    let wait = duration(waits.max().unwrap_or_default());
                    let expected = Duration::from_millis(retry_ms);
                    assert!(
                        wait <= expected && wait + slack >= expected,
                        "{at}: a wait of {wait:?} instead of {expected:?}"
                    );
                }
            }
        }
    }
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
