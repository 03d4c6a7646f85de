//! Where the counts live that calls point to.

use super::{in_flight::InFlight, quota::Quota};
use crate::slot::{Pool, Recycle};

pub(super) static IN_FLIGHT: Pool<InFlight> = Pool::new();
pub(super) static QUOTAS: Pool<Quota> = Pool::new();

impl Recycle for InFlight {
    fn retire(&self) -> bool {
        self.close()
    }
}

/// What a former owner's calls give back has no effect, so a quota may have its next owner at once.
impl Recycle for Quota {
    fn retire(&self) -> bool {
        true
    }
}
