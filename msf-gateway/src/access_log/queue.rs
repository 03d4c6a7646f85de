//! The bounded queue between the workers and the one thread that writes.

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use msf_core::{
    clock,
    metrics::{Counter, Metrics, MetricsError, Spec},
};
use tokio::time;

use super::{AccessRecord, format::Format};

pub(crate) static DROPPED: Spec<Counter, 0> = Spec::counter(
    "msf_gateway_access_log_dropped_total",
    "Access records that were not written: the queue was full, or writing failed.",
    [],
);

/// Where records are handed in. The writer ends when the last clone is gone and the queue is empty.
pub(crate) struct Queue {
    sender: SyncSender<Box<AccessRecord>>,
    progress: Arc<Progress>,
    dropped: Counter,
    /// Of so many requests that did not fail, one is written.
    every: u64,
    turn: AtomicU64,
}

/// How far the writer has come.
#[derive(Debug, Default)]
struct Progress {
    accepted: AtomicU64,
    done: AtomicU64,
}

impl Queue {
    pub(super) fn start(
        out: impl Write + Send + 'static,
        format: Format,
        capacity: usize,
        every: u64,
        metrics: &Metrics,
    ) -> Result<Self, StartQueueError> {
        let dropped = DROPPED.register(metrics)?.with([]);
        let (sender, records) = sync_channel(capacity);
        let progress = Arc::new(Progress::default());
        let writer = Writer {
            out,
            format,
            records,
            progress: Arc::clone(&progress),
            dropped: dropped.clone(),
        };
        thread::Builder::new()
            .name("msf-access-log".to_owned())
            .spawn(move || writer.run())?;
        Ok(Self {
            sender,
            progress,
            dropped,
            every,
            turn: AtomicU64::new(0),
        })
    }

    /// Hands in a record, never waiting.
    pub(crate) fn push(&self, record: Box<AccessRecord>) {
        let is_sample = self.every <= 1
            || record.failure.is_some()
            || self
                .turn
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(self.every);
        if !is_sample {
            return;
        }
        // Counted first: a flush that starts now must wait for this record.
        self.progress.accepted.fetch_add(1, Ordering::AcqRel);
        if self.sender.try_send(record).is_err() {
            self.progress.accepted.fetch_sub(1, Ordering::AcqRel);
            self.dropped.inc();
        }
    }

    /// Waits until what was handed in is written, at most for `wait`.
    pub(crate) async fn flush(&self, wait: Duration) {
        let target = self.progress.accepted.load(Ordering::Acquire);
        let end = clock::now() + wait;
        while self.progress.done.load(Ordering::Acquire) < target && clock::now() < end {
            time::sleep(FLUSH_STEP).await;
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// Why the log could not be started.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) enum StartQueueError {
    Io(#[from] io::Error),
    Metrics(#[from] MetricsError),
}

struct Writer<W> {
    out: W,
    format: Format,
    records: Receiver<Box<AccessRecord>>,
    progress: Arc<Progress>,
    dropped: Counter,
}

impl<W: Write> Writer<W> {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_BYTES);
        while let Ok(record) = self.records.recv() {
            self.format.write(&record, &mut batch);
            let mut records = 1;
            while batch.len() < BATCH_BYTES {
                let Ok(record) = self.records.try_recv() else {
                    break;
                };
                self.format.write(&record, &mut batch);
                records += 1;
            }
            // A disk that is full is no reason to end a gateway.
            if self.write(&batch).is_err() {
                self.dropped.inc_by(records);
            }
            self.progress.done.fetch_add(records, Ordering::AcqRel);
            batch.clear();
            batch.shrink_to(2 * BATCH_BYTES);
            // While this thread waits in `recv`, each record pays a system call to wake it. Away for a
            // moment, it finds those of a busy gateway waiting.
            thread::sleep(GATHER);
        }
    }

    fn write(&mut self, mut batch: &[u8]) -> io::Result<()> {
        while !batch.is_empty() {
            match self.out.write(batch) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => batch = &batch[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Someone who shares the pipe made it non-blocking. This thread may wait.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(RETRY_AFTER);
                }
                Err(error) => return Err(error),
            }
        }
        self.out.flush()
    }
}

/// One write carries about this much: the size of a Linux pipe.
const BATCH_BYTES: usize = 64 * 1024;
/// How long records gather after a write.
const GATHER: Duration = Duration::from_millis(1);
const RETRY_AFTER: Duration = Duration::from_millis(5);
const FLUSH_STEP: Duration = Duration::from_millis(2);
