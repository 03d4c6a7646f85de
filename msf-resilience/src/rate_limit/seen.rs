//! How a key stands with each limit, as numbers.

use std::time::Duration;

use http::HeaderMap;

use super::{
    gcra::{Gcra, Ticks, duration},
    label::Label,
    limits::{LIMITS_MAX, Limit},
    quota::Quota,
};

/// How a key stands with one limit.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::rate_limit::{Quota, RateLimiter};
///
/// let limiter = RateLimiter::builder(Quota::per_minute(60)).name("minute")
///     .limit("day", Quota::per(1_000, Duration::from_secs(86_400)))
///     .build()?;
/// let allowed = limiter.check(&"ada")?;
/// let left: Vec<_> = allowed.standings().map(|limit| (limit.name(), limit.remaining())).collect();
/// assert_eq!(left, [("minute", 59), ("day", 999)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    label: &'static Label,
    place: usize,
    count: Count,
}

/// One limit's part of a decision.
#[derive(Clone, Copy, Debug)]
struct Count {
    quota: Quota,
    ahead: Ticks,
}

impl Standing {
    /// The limit's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.label.name(self.place)
    }

    /// Its quota: that of the key, where keys have quotas of their own.
    #[must_use]
    pub const fn quota(&self) -> Quota {
        self.count.quota
    }

    /// How many more requests it allows now.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.gcra().remaining(self.count.ahead)
    }

    /// How long until the whole burst is there again, if nothing more is asked.
    #[must_use]
    pub fn reset_after(&self) -> Duration {
        duration(self.count.ahead)
    }

    pub(super) fn wait(&self, cost: u32) -> Ticks {
        self.gcra().wait(self.count.ahead, cost)
    }

    fn gcra(&self) -> Gcra {
        Gcra::with_grain(&self.count.quota, 0, self.label.grain())
    }
}

/// How a key stands with every limit of a limiter.
///
/// By value and without a handle: it is made for every request, and a count of references would cost more
/// than the decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    label: &'static Label,
    counts: Counts,
}

/// One is by far the most common, and so not carried in the space of four.
#[derive(Clone, Copy, Debug)]
enum Counts {
    One(Count),
    /// How many of them, in the space beside the tag.
    Several([Count; LIMITS_MAX], u8),
}

impl Seen {
    #[inline]
    pub(super) const fn one(label: &'static Label, limit: &Limit, ahead: Ticks) -> Self {
        let count = Count {
            quota: limit.quota,
            ahead,
        };
        Self {
            label,
            counts: Counts::One(count),
        }
    }

    pub(super) fn new(label: &'static Label, limits: &[Limit], ahead: &[Ticks]) -> Self {
        let count = |place: usize| Count {
            quota: limits[place].quota,
            ahead: ahead[place],
        };
        let len = limits.len();
        let counts = if len == 1 {
            Counts::One(count(0))
        } else {
            let counts = std::array::from_fn(|place| count(place % len));
            Counts::Several(counts, u8::try_from(len).expect("at most four limits"))
        };
        Self { label, counts }
    }

    pub(super) fn standings(&self) -> impl ExactSizeIterator<Item = Standing> + use<> {
        let Self { label, counts } = *self;
        let len = match counts {
            Counts::One(_) => 1,
            Counts::Several(_, len) => usize::from(len),
        };
        (0..len).map(move |place| Standing {
            label,
            place,
            count: match counts {
                Counts::One(count) => count,
                Counts::Several(counts, _) => counts[place],
            },
        })
    }

    /// The limit that allows least.
    pub(super) fn tightest(&self) -> Standing {
        let by = |standing: &Standing| {
            (
                standing.remaining(),
                std::cmp::Reverse(standing.count.ahead),
            )
        };
        let tightest = self.standings().min_by_key(by);
        tightest.expect("a limiter has a limit")
    }

    /// The limit that a request of this cost would have to wait for longest.
    pub(super) fn longest(&self, cost: u32) -> Standing {
        let longest = self.standings().max_by_key(|standing| standing.wait(cost));
        longest.expect("a limiter has a limit")
    }

    /// Both fields for every limit. Those that a refused request waits for are told as of the end of its wait.
    pub(super) fn write_to(
        &self,
        refused: Option<u32>,
        partition: Option<&[u8]>,
        headers: &mut HeaderMap,
    ) {
        for standing in self.standings() {
            let wait = refused.map_or(0, |cost| standing.wait(cost));
            let seconds = whole_seconds(if wait == 0 {
                standing.reset_after()
            } else {
                duration(wait)
            });
            let state = (standing.remaining(), seconds);
            let quota = standing.quota();
            self.label
                .write(standing.place, &quota, state, partition, headers);
        }
    }
}

/// Rounded up: a client that comes back early is refused.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0))
}
