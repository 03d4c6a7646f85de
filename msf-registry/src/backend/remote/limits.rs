//! How long a server is waited for, and how much of its answers is read.

use std::{ops::RangeInclusive, time::Duration};

/// The limits of a client, set by the methods of [`limit_setters`].
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

/// The methods of a builder that set its `limits`, with what differs between servers in their documentation.
macro_rules! limit_setters {
    (near: $near:literal, instances: $instances:literal) => {
        #[doc = concat!("How long connecting may take, 1 ms to a minute; 1 s unless set: ", $near, ".")]
        pub const fn connect_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.limits.connect_timeout = timeout;
            self
        }

        /// How long an answer may take, 1 ms to a minute; 3 s unless set, well below the usual time to live.
        pub const fn timeout(mut self, timeout: std::time::Duration) -> Self {
            self.limits.timeout = timeout;
            self
        }

        /// How long one question for changes waits there, 100 ms to a minute; 25 s unless set, below the 30 to 60 s
        /// after which proxies cut a silent connection. Each waits up to a sixteenth less, so that processes which
        /// were started together do not ask together.
        pub const fn wait(mut self, wait: std::time::Duration) -> Self {
            self.limits.wait = wait;
            self
        }

        #[doc = concat!(
            "How large an answer may be, 1 KiB to 1 GiB; 16 MiB unless set, about ", $instances,
            " instances of one service."
        )]
        pub const fn answer_max(mut self, bytes: usize) -> Self {
            self.limits.answer_max = bytes;
            self
        }
    };
}
pub(in crate::backend) use limit_setters;

/// How long one question waits: watchers that were started together must not come back together.
pub(in crate::backend) fn spread(wait: Duration) -> Duration {
    wait.mul_f64(1.0 - fastrand::f64() / 16.0)
}

const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
/// A question that waits less is a poll; above it the watch takes the registry for one that hangs.
const WAIT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
const ANSWER: RangeInclusive<usize> = 1024..=1024 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_waits_up_to_a_sixteenth_less() {
        let wait = Duration::from_secs(16);
        for _ in 0..1_000 {
            assert!((Duration::from_secs(15)..=wait).contains(&spread(wait)));
        }
    }

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
