//! The one fetch that may run, and who waits for it.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::schedule::Schedule;
use crate::flight::Landing;

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) schedule: Schedule,
    pub(super) landing: Option<Landing>,
    pub(super) waiters: Arc<Semaphore>,
}

/// More tokens than this do not wait but are answered at once.
const WAITERS_MAX: usize = 256;

impl Flight {
    pub(super) fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            landing: None,
            waiters: Arc::new(Semaphore::new(WAITERS_MAX)),
        }
    }
}
