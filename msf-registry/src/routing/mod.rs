//! Which instances may be called, and which share of the calls goes to which group of them.
//!
//! Two pure functions, of which callers see the words: `routable` joins what an instance says, what an operator says,
//! what its checks say and what its calls say into one [`Routable`]; nothing else in this crate decides it. `plan` makes
//! groups of those that may be called, each of a [`GroupKind`]: by priority, by zone, and what is left when too few are
//! well. Both are shown by [`ServiceHandle::explain`](crate::ServiceHandle::explain).

mod plan;
mod priority;
mod routable;
#[cfg(test)]
mod tests;
mod zone;

pub(crate) use self::plan::{Candidate, Group, Plan, Rules, plan};
pub(crate) use self::routable::{Ejection, effective, routable};
pub use self::{
    plan::GroupKind,
    routable::{Routable, Why},
};
