//! Another configuration while the gateway runs.
//!
//! [`Gateway::apply`](crate::Gateway::apply) replaces routes, policies and clusters at once: a request sees all of
//! the old ones or all of the new ones. What is in flight ends as it began.

mod current;
mod revision;
mod slot;

pub use self::revision::Revision;
pub(crate) use self::{
    current::Live,
    slot::{Built, Slot},
};
