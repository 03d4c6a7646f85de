//! The one fetch that may run, and who waits for it.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use super::schedule::Schedule;

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) schedule: Schedule,
    pub(super) landing: Option<Landing>,
    pub(super) waiters: Arc<Semaphore>,
}

/// The end of a fetch; the sender is dropped then.
#[derive(Clone, Debug)]
pub(crate) struct Landing(watch::Receiver<()>);

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

impl Landing {
    pub(crate) fn new() -> (watch::Sender<()>, Self) {
        let (sender, receiver) = watch::channel(());
        (sender, Self(receiver))
    }

    pub(crate) async fn wait(mut self) {
        // Nothing is ever sent, so this ends when the sender is dropped.
        while self.0.changed().await.is_ok() {}
    }
}
