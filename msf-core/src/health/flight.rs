//! One run at a time, shared by every probe that waits for it.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    task::Poll,
    time::{Duration, SystemTime},
};

use tokio::{sync::Mutex, time::Instant};

use super::{
    check::{Check, Severity},
    error::{Chain, CheckError},
};

/// A check together with its last result and the run in progress.
#[derive(Debug)]
pub(super) struct Flight {
    check: Check,
    slot: Mutex<Slot>,
    // Probes inside `result`; the last one to leave takes an unfinished run with it.
    waiting: AtomicUsize,
    // Finished runs, so that a probe that waited for one knows that it has its answer.
    finished: AtomicU64,
}

/// The part of a finished run that probes see.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// What the public may read of a failure.
    pub(super) failure: Option<String>,
    pub(super) took: Duration,
    pub(super) time: SystemTime,
    finished: Instant,
}

impl Flight {
    pub(super) fn new(check: Check) -> Self {
        Self {
            check,
            slot: Mutex::default(),
            waiting: AtomicUsize::new(0),
            finished: AtomicU64::new(0),
        }
    }

    pub(super) fn check(&self) -> &Check {
        &self.check
    }

    /// The cached finding while it is fresh, or that of a run.
    ///
    /// The run lives in the slot and is polled by whichever probe holds the lock. When that probe is
    /// dropped the next one goes on with the same run; when nobody waits the run is dropped, so that
    /// it does not sit on a connection until the next probe comes.
    pub(super) async fn result(&self) -> Finding {
        let _waiting = Waiting::enter(self);
        let seen = self.finished.load(Ordering::Acquire);
        let mut slot = self.slot.lock().await;
        let while_waiting = self.finished.load(Ordering::Acquire) != seen;
        if let Some(last) = &slot.last
            && (while_waiting || last.finished.elapsed() < self.check.cache)
        {
            return last.clone();
        }
        let run = slot
            .run
            .get_or_insert_with(|| Box::pin(run(self.check.clone())));
        let done = run.await;
        slot.run = None;
        self.log_change(slot.last.as_ref(), &done);
        let finding = done.finding();
        slot.last = Some(finding.clone());
        self.finished.fetch_add(1, Ordering::Release);
        finding
    }

    /// Probes come every few seconds; only what changed is worth a line.
    fn log_change(&self, before: Option<&Finding>, now: &Done) {
        let was_failing = before.is_some_and(|finding| finding.failure.is_some());
        let check = &*self.check.name;
        match &now.result {
            Err(error) if !was_failing => {
                let hard = self.check.severity == Severity::Hard;
                let error = Chain(error);
                tracing::warn!(target: "msf_core::health", check, hard, %error, "health check fails");
            }
            Ok(()) if was_failing => {
                tracing::info!(target: "msf_core::health", check, "health check passes again");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

type Run = Pin<Box<dyn Future<Output = Done> + Send>>;

#[derive(Default)]
struct Slot {
    run: Option<Run>,
    last: Option<Finding>,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("running", &self.run.is_some())
            .field("last", &self.last)
            .finish()
    }
}

struct Done {
    result: Result<(), CheckError>,
    took: Duration,
    finished: Instant,
}

impl Done {
    fn finding(&self) -> Finding {
        Finding {
            failure: self.result.as_ref().err().map(CheckError::to_string),
            took: self.took,
            time: SystemTime::now(),
            finished: self.finished,
        }
    }
}

async fn run(check: Check) -> Done {
    let started = Instant::now();
    // `check` is called inside of the block, so that a panic before its first await is caught too.
    let asked = no_unwind(async { check.check.check().await });
    let result = match tokio::time::timeout(check.timeout, asked).await {
        Ok(Some(result)) => result,
        Ok(None) => Err(CheckError::new("check panicked")),
        Err(_) => {
            let timeout = humantime::format_duration(check.timeout);
            Err(CheckError::new(format!("timed out after {timeout}")))
        }
    };
    Done {
        result,
        took: started.elapsed(),
        finished: Instant::now(),
    }
}

/// `None` if the future panicked; it is not polled again.
async fn no_unwind<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(move |cx| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

/// A probe that is inside of [`Flight::result`].
struct Waiting<'a>(&'a Flight);

impl<'a> Waiting<'a> {
    fn enter(flight: &'a Flight) -> Self {
        flight.waiting.fetch_add(1, Ordering::AcqRel);
        Self(flight)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let last = self.0.waiting.fetch_sub(1, Ordering::AcqRel) == 1;
        // A probe that came in between either holds the lock, and keeps the run, or has yet to get
        // it, and starts another.
        if last && let Ok(mut slot) = self.0.slot.try_lock() {
            slot.run = None;
        }
    }
}
