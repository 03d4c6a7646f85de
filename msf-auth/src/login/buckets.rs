//! Failures of networks, and of all together: so many at once, and then one in a while.

use super::bounded::Bounded;

/// A leaky bucket, by the time at which it will be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    empty_ms: u64,
}

/// How much a bucket holds, and how fast it empties.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leak {
    pub(super) burst: u32,
    pub(super) interval_ms: u64,
}

impl Leak {
    pub(super) fn wait_ms(self, bucket: Option<Bucket>, now_ms: u64) -> u64 {
        let full_ms = u64::from(self.burst) * self.interval_ms;
        let after_ms = self.level_ms(bucket, now_ms) + self.interval_ms;
        after_ms.saturating_sub(full_ms)
    }

    pub(super) fn charged(self, bucket: Option<Bucket>, now_ms: u64) -> Bucket {
        Bucket {
            empty_ms: now_ms + self.level_ms(bucket, now_ms) + self.interval_ms,
        }
    }

    pub(super) const fn refunded(self, bucket: Bucket) -> Bucket {
        Bucket {
            empty_ms: bucket.empty_ms.saturating_sub(self.interval_ms),
        }
    }

    fn level_ms(self, bucket: Option<Bucket>, now_ms: u64) -> u64 {
        bucket.map_or(0, |bucket| bucket.empty_ms.saturating_sub(now_ms))
    }
}

/// A bucket for each key.
#[derive(Debug)]
pub(super) struct Buckets {
    leak: Leak,
    buckets: Bounded<Bucket>,
}

impl Buckets {
    pub(super) fn new(leak: Leak, buckets_max: usize) -> Self {
        Self {
            leak,
            buckets: Bounded::new(buckets_max),
        }
    }

    pub(super) fn wait_ms(&self, key: u64, now_ms: u64) -> u64 {
        self.leak.wait_ms(self.buckets.get(key), now_ms)
    }

    pub(super) fn charge(&mut self, key: u64, now_ms: u64) {
        let bucket = self.leak.charged(self.buckets.get(key), now_ms);
        self.buckets.insert(key, bucket);
    }

    pub(super) fn refund(&mut self, key: u64) {
        if let Some(bucket) = self.buckets.get(key) {
            self.buckets.insert(key, self.leak.refunded(bucket));
        }
    }
}
