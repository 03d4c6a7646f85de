//! What keeps a process registered and its lists current, whatever happens to the registry. Written
//! once, for all backends.

mod lease;
mod track;
mod watch;

pub(crate) use self::{
    lease::{LeaseDriver, Standing},
    watch::WatchDriver,
};
