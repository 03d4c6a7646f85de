//! What a registry holds and says: instances, leases, snapshots.

mod endpoint;
mod health_check;
mod instance;
mod lease;
mod snapshot;
mod status;

pub use self::{
    endpoint::{Endpoint, InvalidEndpoint, Scheme},
    health_check::{HealthCheck, InvalidHealthCheck},
    instance::{Instance, InvalidInstance},
    lease::{Lease, Renewal},
    snapshot::{Authority, Change, Cursor, Health, Member, Snapshot},
    status::Status,
};
