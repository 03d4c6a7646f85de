//! Work that belongs to no caller: started at most once at a time, waited for by many, and not always due.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use msf_core::task;
use tokio::{sync::watch, time::Instant};

/// The end of a piece of work; the sender is dropped then.
#[derive(Clone, Debug)]
pub(crate) struct Landing(watch::Receiver<()>);

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

/// Work that is about to start, if it does not run already. It is launched after its lock is given back: a runtime that
/// shuts down drops what it is given at once, and work that is dropped takes that lock.
#[must_use]
pub(crate) struct Start {
    landing: Landing,
    work: Option<Work>,
}

type Work = (&'static str, Pin<Box<dyn Future<Output = ()> + Send>>);

impl Start {
    /// Of what runs already, or cannot run.
    pub(crate) const fn none(landing: Landing) -> Self {
        Self {
            landing,
            work: None,
        }
    }

    pub(crate) fn of(
        landing: Landing,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self {
            landing,
            work: Some((name, Box::pin(work))),
        }
    }

    pub(crate) fn launch(self) -> Landing {
        if let Some((name, work)) = self.work {
            task::spawn(name, work).detach();
        }
        self.landing
    }
}

/// When work is due again, so that those who only ask take no lock.
#[derive(Debug)]
pub(crate) struct Due {
    born: Instant,
    /// In milliseconds since `born`.
    at_ms: AtomicU64,
}

impl Due {
    /// Due at once.
    pub(crate) const fn new(born: Instant) -> Self {
        Self {
            born,
            at_ms: AtomicU64::new(0),
        }
    }

    pub(crate) const fn born(&self) -> Instant {
        self.born
    }

    pub(crate) fn is_now(&self, now: Instant) -> bool {
        millis(now.saturating_duration_since(self.born)) >= self.at_ms.load(Ordering::Relaxed)
    }

    /// `None` for never. Called with the lock of the work held.
    pub(crate) fn set(&self, at: Option<Instant>) {
        let at_ms = at.map_or(u64::MAX, |at| {
            millis(at.saturating_duration_since(self.born))
        });
        self.at_ms.store(at_ms, Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
