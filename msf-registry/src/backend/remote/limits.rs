//! How long a server is waited for, and how much of its answers is read.

use std::{ops::RangeInclusive, time::Duration};

/// The limits of a client. Which of them a user may set, and why they are what they are, is documented
/// at the builders.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct Limits {
    pub(in crate::backend) connect_timeout: Duration,
    pub(in crate::backend) timeout: Duration,
    pub(in crate::backend) wait: Duration,
    pub(in crate::backend) answer_max: usize,
}

/// A limit out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) struct InvalidLimit {
    pub(in crate::backend) setting: &'static str,
    pub(in crate::backend) allowed: &'static str,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
            wait: Duration::from_secs(25),
            answer_max: 16 * 1024 * 1024,
        }
    }
}

impl Limits {
    pub(in crate::backend) fn validate(self) -> Result<Self, InvalidLimit> {
        let refuse = |setting, allowed| Err(InvalidLimit { setting, allowed });
        if !TIMEOUT.contains(&self.connect_timeout) {
            return refuse("connect_timeout", "1 ms to 60 s");
        }
        if !TIMEOUT.contains(&self.timeout) {
            return refuse("timeout", "1 ms to 60 s");
        }
        if !WAIT.contains(&self.wait) {
            return refuse("wait", "100 ms to 60 s");
        }
        if !ANSWER.contains(&self.answer_max) {
            return refuse("answer_max", "1 KiB to 1 GiB");
        }
        Ok(self)
    }
}

const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
/// A question that waits less is a poll; above it the watch takes the registry for one that hangs.
const WAIT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
const ANSWER: RangeInclusive<usize> = 1024..=1024 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_named() {
        let usual = Limits::default();
        assert!(usual.validate().is_ok());
        for (limits, setting) in [
            (
                Limits {
                    connect_timeout: Duration::ZERO,
                    ..usual
                },
                "connect_timeout",
            ),
            (
                Limits {
                    timeout: Duration::MAX,
                    ..usual
                },
                "timeout",
            ),
            (
                Limits {
                    wait: Duration::from_secs(61),
                    ..usual
                },
                "wait",
            ),
            (
                Limits {
                    answer_max: 0,
                    ..usual
                },
                "answer_max",
            ),
        ] {
            assert_eq!(limits.validate().unwrap_err().setting, setting);
        }
    }
}
