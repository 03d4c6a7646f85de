//! All policies that live in this process: what they are doing now, and a hand on them.
//!
//! Every breaker, limit, bulkhead and so on is listed from the moment it is built until its last handle is gone. A dashboard
//! shows the [`Snapshot`]s; an operator forces a breaker open with a [`Control`].
//!
//! ```
//! use msf_resilience::{bulkhead::Bulkhead, policies::{self, Control, Kind}};
//!
//! let reports = Bulkhead::builder("reports").max_concurrent(8).build()?;
//! let is_reports = |policy: &policies::Snapshot| policy.name() == "reports";
//! let limit = || policies::snapshots().into_iter().find(is_reports)?.figure("limit");
//! assert_eq!(limit(), Some(8.0));
//!
//! policies::control(Kind::Bulkhead, "reports", Control::SetLimit(4))?;
//! assert_eq!(limit(), Some(4.0));
//! drop(reports);
//! assert_eq!(limit(), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Names
//!
//! Nothing keeps two policies of a kind from having one name. Both are listed, and a control reaches both.
//!
//! # Cost
//!
//! Nothing on the path of a call: the list holds weak references, and taking a snapshot reads what the policy counts anyway.

mod control;
mod list;
mod policy;
mod snapshot;
#[cfg(test)]
mod tests;

pub use self::{
    control::{Control, ControlError},
    list::{control, snapshots},
    policy::Kind,
    snapshot::Snapshot,
};
pub(crate) use self::{list::register, policy::Policy};
