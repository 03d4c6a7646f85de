//! What keeps a process registered and its lists current, whatever happens to the registry. Written
//! once, for all backends.

mod lease;
mod standing;
mod watch;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use tokio::time::{Instant, sleep_until};

use crate::error::RegistryError;

pub use self::standing::Standing;
pub(crate) use self::{
    lease::{Leases, Limits, Seat},
    watch::{WatchDriver, WatchRules},
};

/// A backend that panics is as one that does not answer; the panic hook has reported it.
async fn caught<T>(
    call: impl Future<Output = Result<T, RegistryError>>,
) -> Result<T, RegistryError> {
    let mut call = pin!(call);
    std::future::poll_fn(|cx| {
        // It is not polled again, so nobody sees what it has left half done.
        catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))).unwrap_or_else(|_reported| {
            let cause = "the backend panicked";
            Poll::Ready(Err(RegistryError::Protocol(cause.into())))
        })
    })
    .await
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
