//! How long a call and each of its attempts may take, and what it says when they take longer.

use std::time::Duration;

use http::Request;
use msf_core::{body::Body, classify::Classification, deadline::Deadline, name::ServiceName};
use tokio::time::Instant;

use super::upload::Waited;
use crate::{Error, transport::Progress};

/// How long a call or an attempt may take, and on whose word.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    pub(super) deadline: Deadline,
    pub(super) started: Instant,
    /// What the callee may take usually, by which it is measured.
    usual: Duration,
    /// The client's own limit, if that is the one that holds.
    own: Option<Duration>,
    /// When the body of the request began to be followed.
    upload: Instant,
    waited: Waited,
}

impl Limit {
    /// The limit of a call that begins now.
    pub(super) fn of(request: &mut Request<Body>, timeout: Duration, now: Instant) -> Self {
        let timeout = timeout.min(Deadline::MAX);
        let own = Deadline::at(now + timeout);
        let callers = Deadline::of(request.extensions()).filter(|callers| *callers < own);
        Self {
            deadline: callers.unwrap_or(own),
            started: now,
            usual: timeout,
            own: callers.is_none().then_some(timeout),
            upload: now,
            waited: Waited::follow(request, now),
        }
    }

    /// The limit of an attempt that begins now, within this one.
    pub(super) fn attempt(&self, timeout: Option<Duration>, now: Instant) -> Self {
        let mut limit = self.clone();
        limit.started = now;
        let Some(timeout) = timeout else {
            return limit;
        };
        limit.usual = timeout.min(self.usual);
        let own = Deadline::at(now + limit.usual);
        if own < self.deadline {
            limit.deadline = own;
            limit.own = Some(limit.usual);
        }
        limit
    }

    /// What a callee's silence until now says about it.
    ///
    /// It is blamed only if it had a fair part of the usual time to itself: otherwise whoever sends short
    /// deadlines or slow bodies could open the breaker for everybody.
    pub(super) fn blame(&self, now: Instant) -> Classification {
        let Some(waited) = self.waited.until() else {
            return Classification::IGNORE;
        };
        // A later attempt has the body, or a part of it, from the beginning.
        let since = self.started.max(self.upload + waited);
        if now.saturating_duration_since(since) >= self.usual / 2 {
            Classification::FAILURE
        } else {
            Classification::IGNORE
        }
    }

    /// As [`blame`](Self::blame), when the whole time has passed; a timer that is late adds nothing.
    pub(super) fn blame_whole(&self) -> Classification {
        self.blame(self.deadline.instant())
    }

    pub(super) fn exceeded(&self, service: &ServiceName, progress: Progress) -> Error {
        let service = service.clone();
        let is_unsent = progress != Progress::Sent;
        match self.own {
            Some(timeout) => Error::Timeout {
                service,
                timeout,
                is_unsent,
            },
            None => Error::DeadlineExceeded { service, is_unsent },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn limit(callers: Option<Duration>, timeout: Duration, now: Instant) -> Limit {
        let mut request = Request::new(Body::empty());
        if let Some(left) = callers {
            Deadline::at(now + left).tighten(request.extensions_mut());
        }
        Limit::of(&mut request, timeout, now)
    }

    fn is_timeout(limit: &Limit) -> Option<Duration> {
        let service = ServiceName::new("payment").expect("it is a name");
        match limit.exceeded(&service, Progress::Sent) {
            Error::Timeout { timeout, .. } => Some(timeout),
            _ => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_ends_with_its_call_and_says_whose_time_was_over() {
        let now = Instant::now();
        let call = limit(None, secs(10), now);
        let first = call.attempt(Some(secs(4)), now);
        assert_eq!(first.deadline, Deadline::at(now + secs(4)));
        assert_eq!(is_timeout(&first), Some(secs(4)));
        let third = call.attempt(Some(secs(4)), now + secs(8));
        assert_eq!(third.deadline, call.deadline);
        assert_eq!(is_timeout(&third), Some(secs(10)));
        let whole = call.attempt(None, now + secs(8));
        assert_eq!(whole.deadline, call.deadline);

        let hurried = limit(Some(secs(3)), secs(10), now);
        assert_eq!(is_timeout(&hurried), None);
        assert_eq!(is_timeout(&hurried.attempt(Some(secs(4)), now)), None);
        let short = hurried.attempt(Some(secs(1)), now);
        assert_eq!(is_timeout(&short), Some(secs(1)));
        // A caller who has more time than the client allows changes nothing.
        assert_eq!(
            is_timeout(&limit(Some(secs(60)), secs(10), now)),
            Some(secs(10))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_callee_is_measured_by_half_of_its_usual_time() {
        let now = Instant::now();
        let call = limit(None, secs(10), now);
        assert_eq!(call.blame(now + secs(4)), Classification::IGNORE);
        assert_eq!(call.blame(now + secs(5)), Classification::FAILURE);
        assert_eq!(call.blame_whole(), Classification::FAILURE);
        let first = call.attempt(Some(secs(4)), now);
        assert_eq!(first.blame(now + secs(2)), Classification::FAILURE);
        // What is left for the last attempt is too little to judge by.
        let last = call.attempt(Some(secs(4)), now + secs(9));
        assert_eq!(last.blame_whole(), Classification::IGNORE);
        let hurried = limit(Some(secs(3)), secs(10), now);
        assert_eq!(hurried.blame_whole(), Classification::IGNORE);
    }
}
