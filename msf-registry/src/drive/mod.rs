//! What keeps a process registered and its lists current, whatever happens to the registry. Written
//! once, for all backends.

mod lease;
mod standing;
mod track;
mod watch;

pub use self::standing::Standing;
pub(crate) use self::{
    lease::{Leases, Limits, Seat},
    watch::WatchDriver,
};
