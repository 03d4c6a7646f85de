//! Which instances may be called, and which share of the calls goes to which group of them.
//!
//! Two pure functions. [`routable`] joins what an instance says, what an operator says, what its checks say and
//! what its calls say into one answer; nothing else in this crate decides it. [`plan`] makes groups of those
//! that may be called: by priority, by zone, and what is left when too few are well.

mod plan;
mod priority;
mod routable;
#[cfg(test)]
mod tests;
mod zone;

pub(crate) use self::plan::{Candidate, Group, Rules, plan};
pub(crate) use self::routable::{Ejection, effective, routable};
pub use self::{
    plan::GroupKind,
    routable::{Routable, Why},
};
