//! The bounded queue between whoever logs and the one thread that writes.
//!
//! Standard output can block for ever: a stopped terminal, a full pipe, a slow disk behind a
//! container runtime. That must never be a request's problem, so lines are written by a thread of
//! their own, and a line that finds the queue full is dropped and counted.

use std::{
    io::{self, ErrorKind, Write},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// Where lines are handed in. The writer ends when the last clone is gone and the queue is empty.
#[derive(Clone, Debug)]
pub(in crate::telemetry) struct LineQueue {
    sender: SyncSender<Vec<u8>>,
    progress: Arc<Progress>,
}

/// How far the writer has come.
#[derive(Debug, Default)]
pub(in crate::telemetry) struct Progress {
    accepted: AtomicU64,
    dropped: AtomicU64,
    /// Lines taken from the queue and dealt with.
    done: Mutex<u64>,
    advanced: Condvar,
}

impl LineQueue {
    /// Starts the writer of a queue of `capacity` lines; `notice` makes the line that reports
    /// drops.
    pub(in crate::telemetry) fn start(
        out: impl Write + Send + 'static,
        capacity: usize,
        notice: fn(u64) -> Vec<u8>,
    ) -> io::Result<Self> {
        let (sender, lines) = sync_channel(capacity);
        let progress = Arc::new(Progress::default());
        let writer = Writer {
            out,
            lines,
            progress: Arc::clone(&progress),
            notice,
        };
        thread::Builder::new()
            .name("msf-log-writer".to_owned())
            .spawn(move || writer.run())?;
        Ok(Self { sender, progress })
    }

    /// Hands in a line, never waiting.
    pub(super) fn push(&self, line: Vec<u8>) {
        // Counted first: a flush that starts now must wait for this line.
        self.progress.accepted.fetch_add(1, Ordering::AcqRel);
        if self.sender.try_send(line).is_err() {
            self.progress.accepted.fetch_sub(1, Ordering::AcqRel);
            self.progress.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(in crate::telemetry) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

impl Progress {
    /// Lines that were never written: the queue was full, or writing failed.
    pub(in crate::telemetry) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until every line handed in before this call is dealt with; `false` if `timeout`
    /// passed first.
    ///
    /// Blocks the thread. The bound is kept in real time, whatever a runtime's clock says.
    pub(in crate::telemetry) fn flush(&self, timeout: Duration) -> bool {
        let target = self.accepted.load(Ordering::Acquire);
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, _) = self
            .advanced
            .wait_timeout_while(done, timeout, |done| !self.reached(target, *done))
            .unwrap_or_else(PoisonError::into_inner);
        self.reached(target, *done)
    }

    /// Asks for the accepted lines again: a line counted in `target` may have found the queue full.
    fn reached(&self, target: u64, done: u64) -> bool {
        done >= target.min(self.accepted.load(Ordering::Acquire))
    }

    fn advance(&self, lines: u64) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) += lines;
        self.advanced.notify_all();
    }
}

struct Writer<W> {
    out: W,
    lines: Receiver<Vec<u8>>,
    progress: Arc<Progress>,
    notice: fn(u64) -> Vec<u8>,
}

impl<W: Write> Writer<W> {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_BYTES);
        let mut reported = 0;
        while let Ok(line) = self.lines.recv() {
            // Under load one write carries many lines; at rest a line is not kept waiting.
            batch.extend_from_slice(&line);
            let mut lines = 1;
            while batch.len() < BATCH_BYTES {
                let Ok(line) = self.lines.try_recv() else {
                    break;
                };
                batch.extend_from_slice(&line);
                lines += 1;
            }
            let dropped = self.progress.dropped();
            if dropped > reported {
                batch.extend_from_slice(&(self.notice)(dropped - reported));
                reported = dropped;
            }
            // A reader that went away is no reason to end a service: the lines count as dropped.
            if self.write(&batch).is_err() {
                self.progress.dropped.fetch_add(lines, Ordering::Relaxed);
            }
            self.progress.advance(lines);
            batch.clear();
            batch.shrink_to(2 * BATCH_BYTES);
            // While this thread waits in `recv`, each line pays a system call to wake it. Away
            // for a moment, it finds the lines of a busy service waiting, and they cost nothing
            // to hand in.
            thread::sleep(GATHER);
        }
    }

    fn write(&mut self, mut batch: &[u8]) -> io::Result<()> {
        while !batch.is_empty() {
            match self.out.write(batch) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => batch = &batch[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Someone who shares the pipe made it non-blocking. This thread may wait.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_AFTER),
                Err(error) => return Err(error),
            }
        }
        self.out.flush()
    }
}

/// One write carries about this much: the size of a Linux pipe.
const BATCH_BYTES: usize = 64 * 1024;

/// How long lines gather after a write: at most this late is a line on a service that writes many.
const GATHER: Duration = Duration::from_millis(1);

/// How long to wait for a non-blocking output that is full.
const RETRY_AFTER: Duration = Duration::from_millis(5);

/// What the log says of lines that are missing.
pub(super) const DROPPED_MESSAGE: &str = "log lines dropped: the output is slower than the log";
