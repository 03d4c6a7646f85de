//! How long hyper may have a connection: its times, its limits, and the drain.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use tokio::{select, time};

use super::{
    super::{
        DrainSignal, Limits, Phase, Refusal,
        activity::{Activity, Next, Patience},
    },
    protocol::{log_failure, refusal},
};
use crate::{BoxError, clock};

/// Why hyper's part of a connection is over.
#[derive(Debug)]
pub(super) enum Ended {
    /// By either side, or handed over to an upgrade.
    Closed,
    /// By us, for what the client did. It has its answer if hyper gives one.
    Refused(Refusal),
    /// Nothing happens for the moment.
    Parked {
        /// What was read of a request that has not been served.
        unread: Bytes,
    },
    /// The hard deadline of the drain has passed.
    Cut,
}

/// How long hyper may have a connection, and why it may lose it.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) activity: &'a Activity,
    pub(super) limits: Limits,
    pub(super) drain: &'a DrainSignal,
    pub(super) may_park: bool,
}

/// `shutdown` begins the end of `http`, which is polled on until it is over.
pub(super) async fn drive<H, E>(
    mut http: Pin<&mut H>,
    shutdown: impl Fn(Pin<&mut H>),
    terms: Terms<'_>,
) -> Ended
where
    H: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    let Terms {
        activity,
        limits,
        drain,
        may_park,
    } = terms;
    let patience = Patience {
        header: limits.header_timeout,
        idle: limits.idle_timeout,
        may_park,
    };
    let mut timer = pin!(time::sleep(patience.first_look()));
    // One future and not one for each phase: it is polled whenever the connection is.
    let mut change = pin!(drain.reached(Phase::Draining));
    let (mut is_draining, mut is_stopping, mut is_closing) = (false, false, false);
    let mut is_told = false;

    loop {
        // GOAWAY loses nothing. HTTP/1 has no such word: there every response says `Connection: close`
        // from now on (see `Handler`). Who comes during the drain speaks HTTP/2 only once the preface
        // is read, so this is asked after every poll.
        let polled = poll_fn(|cx| {
            let polled = http.as_mut().poll(cx);
            if polled.is_pending() && is_draining && !is_told && activity.is_http2() {
                is_told = true;
                shutdown(http.as_mut());
                return http.as_mut().poll(cx);
            }
            polled
        });
        // A reset that makes it too many was read by the poll above.
        let is_flooded = poll_fn(|_cx| {
            if activity.given_up() > limits.http2_resets_max {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        select! {
            biased;
            outcome = polled => {
                let Err(error) = outcome else {
                    return Ended::Closed;
                };
                let error: BoxError = error.into();
                log_failure(error.as_ref());
                return refusal(error.as_ref()).map_or(Ended::Closed, Ended::Refused);
            }
            () = is_flooded => return Ended::Refused(Refusal::Http2Resets),
            () = change.as_mut() => {
                let phase = drain.phase();
                if phase == Phase::Cut {
                    return Ended::Cut;
                }
                is_draining = true;
                if phase == Phase::Stopping {
                    is_stopping = true;
                    timer.as_mut().reset(clock::now() + IDLE_GRACE);
                    if activity.is_busy() {
                        shutdown(http.as_mut());
                    }
                }
                change.set(drain.reached(if is_stopping { Phase::Cut } else { Phase::Stopping }));
            }
            () = &mut timer => {
                if is_closing {
                    // What a client of HTTP/2 has not opened its window for in all this time has no body any more
                    // that counts, and would keep the connection for ever.
                    if !activity.is_busy() && !activity.is_blocked() {
                        return Ended::Closed;
                    }
                    timer.as_mut().reset(clock::now() + limits.write_timeout);
                    continue;
                }
                if is_stopping {
                    // A request that was on its way when the drain began has had its chance.
                    is_closing = true;
                    timer.as_mut().reset(clock::now() + limits.write_timeout);
                    shutdown(http.as_mut());
                    continue;
                }
                match activity.next(clock::now(), patience) {
                    Next::CheckAt(instant) => timer.as_mut().reset(instant),
                    Next::HeaderTimeout { partial: true } => {
                        return Ended::Refused(Refusal::HeadTooSlow);
                    }
                    Next::HeaderTimeout { partial: false } => {
                        return Ended::Refused(Refusal::Silent);
                    }
                    Next::Park => {
                        // Of an idle connection hyper lets go at once. One that it is not done with after all
                        // is closed when it is, as if it had been idle for too long.
                        activity.set_parking(true);
                        shutdown(http.as_mut());
                        let parked = poll_fn(|cx| Poll::Ready(http.as_mut().poll(cx))).await;
                        if matches!(parked, Poll::Ready(Ok(()))) {
                            return Ended::Parked {
                                unread: Bytes::new(),
                            };
                        }
                        activity.set_parking(false);
                        is_closing = true;
                        timer.as_mut().reset(clock::now() + limits.write_timeout);
                        if parked.is_ready() {
                            return Ended::Closed;
                        }
                    }
                    Next::Idle => {
                        is_closing = true;
                        timer.as_mut().reset(clock::now() + limits.write_timeout);
                        shutdown(http.as_mut());
                    }
                }
            }
        }
    }
}

/// How long an idle HTTP/1 connection is still read from once the listener is closed: a request may be
/// on its way, and a reset is all that it would get otherwise.
pub(super) const IDLE_GRACE: Duration = Duration::from_millis(250);
