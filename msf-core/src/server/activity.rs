//! Whether a connection is at work, slow, or idle: the decisions, without the sockets.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// What one connection does, as its reader, its requests and its timer see it.
///
/// The reader and the requests only store; the timer alone decides, at most once per timeout. So a
/// request arms no timer, where hyper's own header timeout allocates one for each.
///
/// The fields are read one by one and may belong to different moments. That is harmless: reader,
/// requests and timer of an HTTP/1 connection run in one task, and for HTTP/2 a late view only moves
/// a decision to the next check.
#[derive(Debug)]
pub(super) struct Activity {
    start: Instant,
    in_flight: AtomicU32,
    /// When the head that is being read began, in ms since `start` plus 1; 0 when none is.
    head_since: AtomicU64,
    /// When the last request ended, in ms since `start`.
    idle_since: AtomicU64,
    /// Whether anything arrived since the last request.
    head_has_bytes: AtomicBool,
    http2: AtomicBool,
    /// Whether the socket took no more of an answer. hyper lets go of an answer's body when it has it in
    /// its buffer, which for a slow client is long before the client has it.
    is_blocked: AtomicBool,
    /// Requests of HTTP/2 that were given up, less those that ended.
    given_up: AtomicU32,
    /// hyper's part is taken down while the connection is idle, and must leave the socket open.
    is_parking: AtomicBool,
    /// Nobody wanted the rest of a request's body. hyper reads once to see whether it is there already.
    has_unread_body: AtomicBool,
    /// Whoever has asked for an upgrade is given the socket when hyper lets go of it, granted or not.
    may_upgrade: AtomicBool,
}

/// How long a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) header: Duration,
    pub(super) idle: Duration,
    /// Whether a connection can be put away while nothing happens.
    pub(super) may_park: bool,
}

impl Patience {
    /// How long after its beginning a connection is looked at for the first time.
    pub(super) fn first_look(&self) -> Duration {
        if self.may_park {
            self.header.min(PARK_AFTER)
        } else {
            self.header
        }
    }
}

/// What to do with a connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing until then.
    CheckAt(Instant),
    /// A request's head takes too long; `partial` says that a part of it has arrived.
    HeaderTimeout { partial: bool },
    /// Nothing happens for the moment: what is kept to serve requests can go.
    Park,
    /// Nothing happened for too long.
    Idle,
}

impl Activity {
    /// A connection that was just accepted: the clock for its first head runs.
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            in_flight: AtomicU32::new(0),
            head_since: AtomicU64::new(1),
            idle_since: AtomicU64::new(0),
            head_has_bytes: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            given_up: AtomicU32::new(0),
            is_parking: AtomicBool::new(false),
            has_unread_body: AtomicBool::new(false),
            may_upgrade: AtomicBool::new(false),
        }
    }

    /// The client speaks HTTP/2, whose frames between requests are no heads.
    pub(super) fn set_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
    }

    /// What comes before HTTP has begun.
    pub(super) fn on_front(&self) {
        self.head_has_bytes.store(true, Ordering::Relaxed);
    }

    /// What comes before HTTP is over: the clock for the first head starts again.
    pub(super) fn on_open(&self, now: Instant) {
        self.head_has_bytes.store(false, Ordering::Relaxed);
        self.head_since.store(self.ms(now) + 1, Ordering::Relaxed);
    }

    /// Bytes arrived. `now` is only asked for at the first bytes of a head.
    pub(super) fn on_read(&self, now: impl FnOnce() -> Instant) {
        if self.has_unread_body.load(Ordering::Relaxed) {
            // The rest of a body is no head.
            self.has_unread_body.store(false, Ordering::Relaxed);
            return;
        }
        if self.is_busy() || self.is_http2() || self.head_has_bytes.load(Ordering::Relaxed) {
            return;
        }
        self.head_has_bytes.store(true, Ordering::Relaxed);
        if self.head_since.load(Ordering::Relaxed) == 0 {
            self.head_since.store(self.ms(now()) + 1, Ordering::Relaxed);
        }
    }

    /// A request's head is complete.
    pub(super) fn on_request(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        self.head_has_bytes.store(false, Ordering::Relaxed);
        self.has_unread_body.store(false, Ordering::Relaxed);
    }

    /// A request asks for another protocol.
    pub(super) fn on_upgrade_wanted(&self) {
        self.may_upgrade.store(true, Ordering::Relaxed);
    }

    /// Somebody may read the body of a request of HTTP/1, also beyond the end of its response.
    pub(super) fn on_body(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody reads it any more.
    pub(super) fn on_body_end(&self, now: Instant, is_unread: bool) {
        if is_unread {
            self.has_unread_body.store(true, Ordering::Relaxed);
        }
        self.idle_since.store(self.ms(now), Ordering::Relaxed);
        self.in_flight.fetch_sub(1, Ordering::Release);
    }

    /// A response is complete, or was given up.
    pub(super) fn on_end(&self, now: Instant, is_given_up: bool) {
        if self.is_http2() {
            let count = |count: u32| {
                if is_given_up {
                    count.checked_add(1)
                } else {
                    count.checked_sub(1)
                }
            };
            // At either end of the range it stays.
            let _stays = self
                .given_up
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        }
        self.idle_since.store(self.ms(now), Ordering::Relaxed);
        self.in_flight.fetch_sub(1, Ordering::Release);
    }

    /// Requests of HTTP/2 that were given up, beyond those that ended.
    pub(super) fn given_up(&self) -> u32 {
        self.given_up.load(Ordering::Relaxed)
    }

    /// From now on a shutdown is hyper's alone, until the connection is taken up again.
    pub(super) fn set_parking(&self, is_parking: bool) {
        self.is_parking.store(is_parking, Ordering::Relaxed);
    }

    pub(super) fn is_parking(&self) -> bool {
        self.is_parking.load(Ordering::Relaxed)
    }

    /// When the connection has been without a request for so long.
    pub(super) fn idle_end(&self, idle: Duration) -> Instant {
        self.at(self.idle_since.load(Ordering::Relaxed)) + idle
    }

    /// The socket takes no more for now.
    pub(super) fn on_blocked(&self) {
        self.is_blocked.store(true, Ordering::Relaxed);
    }

    /// Whether the socket takes no more for now.
    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Relaxed)
    }

    /// All was written. `now` is only asked for when that took a while; then the clocks start over.
    pub(super) fn on_flushed(&self, now: impl FnOnce() -> Instant) {
        if !self.is_blocked.load(Ordering::Relaxed) {
            return;
        }
        let now = self.ms(now());
        self.idle_since.store(now, Ordering::Relaxed);
        if self.head_since.load(Ordering::Relaxed) != 0 {
            self.head_since.store(now + 1, Ordering::Relaxed);
        }
        self.is_blocked.store(false, Ordering::Relaxed);
    }

    /// Whether a request is being worked on.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) > 0
    }

    /// Whether a part of a request's head has arrived, or of what comes before HTTP.
    pub(super) fn has_partial_head(&self) -> bool {
        self.head_has_bytes.load(Ordering::Relaxed)
    }

    /// What to do with the connection.
    pub(super) fn next(&self, now: Instant, patience: Patience) -> Next {
        let may_park =
            patience.may_park && !self.is_http2() && !self.may_upgrade.load(Ordering::Relaxed);
        // Whatever begins before `look` has a limit of its own to be checked against.
        let look = if may_park {
            now + patience.header.min(LOOK_EVERY)
        } else {
            now + patience.header
        };
        if self.is_busy() || self.is_blocked.load(Ordering::Relaxed) {
            return Next::CheckAt(look.min(now + patience.idle));
        }
        match self.head_since.load(Ordering::Relaxed) {
            0 => {
                let end = self.idle_end(patience.idle);
                let park = self.idle_end(PARK_AFTER);
                if now >= end {
                    Next::Idle
                } else if may_park && now >= park {
                    Next::Park
                } else if may_park {
                    Next::CheckAt(end.min(look).min(park))
                } else {
                    Next::CheckAt(end.min(look))
                }
            }
            since => {
                let end = self.at(since - 1) + patience.header;
                if now >= end {
                    Next::HeaderTimeout {
                        partial: self.has_partial_head(),
                    }
                } else {
                    Next::CheckAt(end.min(look))
                }
            }
        }
    }

    fn ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX - 1)
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }
}

/// A client that is at work says more sooner. Of a crowd that comes and stays, no more is held at once than
/// what came in this time. To put a connection away and take it up again costs about a fifth of a proxied request, so
/// it is not done between any two.
const PARK_AFTER: Duration = Duration::from_millis(250);

/// A look costs a poll of the connection: once a second is nothing for one that serves, and soon enough for one that
/// has just become idle.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        may_park: false,
    };
    const PARKS: Patience = Patience {
        may_park: true,
        ..PATIENCE
    };

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_silent_connection_gets_the_header_timeout_and_no_answer() {
        let start = Instant::now();
        let activity = Activity::new(start);
        assert_eq!(
            activity.next(at(start, 3), PATIENCE),
            Next::CheckAt(at(start, 10))
        );
        assert_eq!(
            activity.next(at(start, 10), PATIENCE),
            Next::HeaderTimeout { partial: false }
        );
    }

    #[test]
    fn dripping_bytes_do_not_extend_the_header_timeout() {
        let start = Instant::now();
        let activity = Activity::new(start);
        activity.on_request();
        activity.on_end(at(start, 1), false);
        for second in 20..30 {
            activity.on_read(|| at(start, second));
        }
        assert_eq!(
            activity.next(at(start, 29), PATIENCE),
            Next::CheckAt(at(start, 30))
        );
        assert_eq!(
            activity.next(at(start, 30), PATIENCE),
            Next::HeaderTimeout { partial: true }
        );
    }

    #[test]
    fn an_idle_connection_ends_after_the_idle_timeout() {
        let start = Instant::now();
        let activity = Activity::new(start);
        activity.on_request();
        activity.on_end(at(start, 5), false);
        assert_eq!(
            activity.next(at(start, 6), PATIENCE),
            Next::CheckAt(at(start, 16))
        );
        assert_eq!(
            activity.next(at(start, 79), PATIENCE),
            Next::CheckAt(at(start, 80))
        );
        assert_eq!(activity.next(at(start, 80), PATIENCE), Next::Idle);
    }

    #[test]
    fn an_idle_connection_is_parked_unless_something_of_it_is_on_its_way() {
        let start = Instant::now();
        let activity = Activity::new(start);
        assert_eq!(
            activity.next(at(start, 8), PARKS),
            Next::CheckAt(at(start, 8) + LOOK_EVERY),
            "its first head is expected"
        );
        activity.on_request();
        assert_eq!(
            activity.next(at(start, 9), PARKS),
            Next::CheckAt(at(start, 9) + LOOK_EVERY),
            "it is busy"
        );
        activity.on_end(at(start, 10), false);
        assert_eq!(
            activity.next(at(start, 10), PARKS),
            Next::CheckAt(at(start, 10) + PARK_AFTER)
        );
        assert_eq!(activity.next(at(start, 10) + PARK_AFTER, PARKS), Next::Park);
        activity.on_blocked();
        assert!(matches!(
            activity.next(at(start, 12), PARKS),
            Next::CheckAt(_)
        ));
        activity.on_flushed(|| at(start, 13));
        activity.on_read(|| at(start, 16));
        assert_eq!(
            activity.next(at(start, 17), PARKS),
            Next::CheckAt(at(start, 17) + LOOK_EVERY),
            "a head has begun"
        );
        assert_eq!(
            activity.next(at(start, 26), PARKS),
            Next::HeaderTimeout { partial: true }
        );
    }

    #[test]
    fn a_look_comes_no_later_than_the_limits_of_the_connection() {
        let start = Instant::now();
        let short = Patience {
            header: Duration::from_millis(400),
            idle: Duration::from_millis(100),
            may_park: true,
        };
        assert_eq!(short.first_look(), PARK_AFTER);
        assert_eq!(PATIENCE.first_look(), PATIENCE.header);
        let activity = Activity::new(start);
        assert_eq!(
            activity.next(start, short),
            Next::CheckAt(start + short.header)
        );
        activity.on_request();
        activity.on_end(start, false);
        assert_eq!(
            activity.next(start, short),
            Next::CheckAt(start + short.idle)
        );
        assert_eq!(activity.next(start + short.idle, short), Next::Idle);
    }

    #[test]
    fn http2_is_not_parked() {
        let start = Instant::now();
        let activity = Activity::new(start);
        activity.set_http2();
        assert_eq!(
            activity.next(at(start, 60), PARKS),
            Next::CheckAt(at(start, 70))
        );
    }

    #[test]
    fn who_lets_requests_end_may_give_some_up() {
        let start = Instant::now();
        let activity = Activity::new(start);
        activity.set_http2();
        for given_up in [true, false, false, true, true, false, true] {
            activity.on_request();
            activity.on_end(start, given_up);
        }
        assert_eq!(activity.given_up(), 2);
    }

    #[test]
    fn a_request_may_take_as_long_as_it_likes() {
        let start = Instant::now();
        let activity = Activity::new(start);
        activity.on_request();
        activity.on_read(|| at(start, 1));
        assert_eq!(
            activity.next(at(start, 4_000), PATIENCE),
            Next::CheckAt(at(start, 4_010))
        );
        activity.on_end(at(start, 4_001), false);
        assert_eq!(
            activity.next(at(start, 4_001), PATIENCE),
            Next::CheckAt(at(start, 4_011))
        );
    }

    #[test]
    fn frames_of_http2_are_no_slow_head() {
        let start = Instant::now();
        let activity = Activity::new(start);
        activity.set_http2();
        activity.on_read(|| at(start, 1));
        assert_eq!(
            activity.next(at(start, 20), PATIENCE),
            Next::CheckAt(at(start, 30))
        );
        assert_eq!(activity.next(at(start, 75), PATIENCE), Next::Idle);
    }

    #[test]
    fn a_client_that_reads_slowly_is_neither_idle_nor_late() {
        let start = Instant::now();
        let activity = Activity::new(start);
        activity.on_request();
        activity.on_end(at(start, 1), false);
        activity.on_blocked();
        activity.on_read(|| at(start, 2));
        assert_eq!(
            activity.next(at(start, 100), PATIENCE),
            Next::CheckAt(at(start, 110))
        );
        activity.on_flushed(|| at(start, 200));
        assert_eq!(
            activity.next(at(start, 201), PATIENCE),
            Next::CheckAt(at(start, 210))
        );
        assert_eq!(
            activity.next(at(start, 210), PATIENCE),
            Next::HeaderTimeout { partial: true }
        );
    }

    #[test]
    fn requests_of_one_connection_overlap() {
        let start = Instant::now();
        let activity = Activity::new(start);
        activity.on_request();
        activity.on_request();
        activity.on_end(at(start, 1), false);
        assert!(activity.is_busy());
        activity.on_end(at(start, 2), false);
        assert!(!activity.is_busy());
    }
}
