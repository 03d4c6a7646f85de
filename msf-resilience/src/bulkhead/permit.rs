//! One admitted call.

use std::fmt;

use http::Response;

use super::body::GuardedBody;
use crate::{
    permits::Gate,
    slot::{Pool, Recycle},
};

/// What calls in flight point to.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) gate: Gate,
}

pub(super) static POOL: Pool<Slot> = Pool::new();

impl Recycle for Slot {
    fn retire(&self) -> bool {
        self.gate.retire()
    }
}

/// The right to make one call, given by [`Bulkhead::try_acquire`](super::Bulkhead::try_acquire) or
/// [`acquire`](super::Bulkhead::acquire). Dropping it gives it back.
///
/// ```
/// use msf_resilience::bulkhead::Bulkhead;
///
/// let bulkhead = Bulkhead::builder("reports").build()?;
/// let permit = bulkhead.try_acquire()?;
/// assert_eq!(bulkhead.snapshot().in_flight(), 1);
/// drop(permit);
/// assert_eq!(bulkhead.snapshot().in_flight(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a permit that is dropped is given back"]
pub struct Permit {
    slot: &'static Slot,
}

impl Permit {
    /// For a permit that was taken from the slot's gate.
    #[inline]
    pub(super) const fn of(slot: &'static Slot) -> Self {
        Self { slot }
    }

    /// Holds the permit until the response's body ends, fails or is dropped.
    pub fn attach<B>(self, response: Response<B>) -> Response<GuardedBody<B, Self>> {
        GuardedBody::attach(response, self)
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.slot.gate.release() {
            POOL.give_back(self.slot);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}
