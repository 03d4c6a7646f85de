//! What a registry holds and says: instances, leases, snapshots.

mod instance;
mod lease;
mod snapshot;

pub use self::{
    instance::{Instance, InvalidInstance, Scheme},
    lease::{Lease, Renewal},
    snapshot::{Change, Cursor, Health, Member, Snapshot},
};
