//! A connection on which nothing happens, without anything of hyper.

use tokio::{select, time};

use super::{
    super::{DrainSignal, Limits, Phase, activity::Activity, stream::StreamControl},
    drive::{Ended, IDLE_GRACE},
};

/// Waits with a connection of HTTP/1 on which nothing happens; `None` when something does.
pub(super) async fn park(
    control: &StreamControl,
    activity: &Activity,
    limits: Limits,
    drain: &DrainSignal,
) -> Option<Ended> {
    select! {
        biased;
        () = control.readable() => None,
        () = time::sleep_until(activity.idle_end(limits.idle_timeout)) => Some(Ended::Closed),
        () = drain.reached(Phase::Stopping) => select! {
            biased;
            // A request that was on its way when the drain began has its chance.
            () = control.readable() => None,
            () = drain.reached(Phase::Cut) => Some(Ended::Cut),
            () = time::sleep(IDLE_GRACE) => Some(Ended::Closed),
        },
    }
}
