//! What keeps a process registered and its lists current, whatever happens to the registry. Written
//! once, for all backends.

mod lease;
mod standing;
mod watch;

use tokio::time::{Instant, sleep_until};

pub use self::standing::Standing;
pub(crate) use self::{
    lease::{Leases, Limits, Seat},
    watch::{WatchDriver, WatchRules},
};

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
