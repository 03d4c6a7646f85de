//! The guard: what a host keeps while telemetry runs, and how it ends.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Receiver,
    },
    thread,
    time::Duration,
};

use tokio::time::Instant;

use super::{error::ShutdownIncomplete, level::LevelHandle, lines::Progress};

/// Telemetry that is running. Keep it until the process ends.
///
/// [`shutdown`](Self::shutdown) writes out what is waiting, within a bound. Dropping the guard
/// does the same with a bound of half a second, blocking the thread.
///
/// ```no_run
/// # use std::time::Duration;
/// use msf_core::telemetry::{self, LogConfig};
///
/// # async fn main_() -> Result<(), Box<dyn std::error::Error>> {
/// let telemetry = telemetry::init(&LogConfig::default())?;
/// let level = telemetry.level();
/// tracing::info!("up");
/// level.set("debug")?;
/// telemetry.shutdown(Duration::from_secs(5)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping the guard flushes and ends telemetry"]
pub struct Telemetry {
    level: LevelHandle,
    stats: TelemetryStats,
    exporter: Option<Box<dyn SpanFlush>>,
    flushed: bool,
}

impl Telemetry {
    pub(super) fn new(
        level: LevelHandle,
        stats: TelemetryStats,
        exporter: Option<Box<dyn SpanFlush>>,
    ) -> Self {
        Self {
            level,
            stats,
            exporter,
            flushed: false,
        }
    }

    /// Reads and changes the log level; clones outlive the guard.
    #[must_use]
    pub fn level(&self) -> LevelHandle {
        self.level.clone()
    }

    /// Counters for metrics; clones outlive the guard.
    #[must_use]
    pub fn stats(&self) -> TelemetryStats {
        self.stats.clone()
    }

    /// Log lines that were dropped so far. See [`TelemetryStats::dropped_lines`].
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.stats.dropped_lines()
    }

    /// Writes out waiting lines and finished spans, waiting at most about `timeout`.
    ///
    /// Needs no runtime and no timer of one: the waiting is done by a thread of its own, so it
    /// ends in time on a `current_thread` runtime, on a busy one, and with a paused clock. Lines
    /// logged afterwards are still written if the process lives long enough; spans are not
    /// exported any more.
    ///
    /// # Errors
    ///
    /// [`ShutdownIncomplete`] if something was still waiting when the time was up.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the flush goes on without the future. Dropped before, the guard flushes as on
    /// drop.
    pub async fn shutdown(mut self, timeout: Duration) -> Result<(), ShutdownIncomplete> {
        let (report, reported) = tokio::sync::oneshot::channel();
        let flush = self.take_flush();
        let lines = self.stats.clone();
        let thread = thread::Builder::new()
            .name("msf-telemetry-flush".to_owned())
            .spawn(move || report.send(flush.run(timeout)).is_ok());
        if thread.is_err() {
            // No thread to be had: the exporter could not start one either, but lines can be
            // waited for.
            let lines = !lines.lines.flush(timeout);
            return Err(ShutdownIncomplete {
                timeout,
                lines,
                spans: true,
            });
        }
        reported.await.unwrap_or(Err(ShutdownIncomplete {
            timeout,
            lines: true,
            spans: true,
        }))
    }

    /// As [`shutdown`](Self::shutdown), blocking the thread.
    ///
    /// # Errors
    ///
    /// [`ShutdownIncomplete`] if something was still waiting when the time was up.
    pub fn shutdown_blocking(mut self, timeout: Duration) -> Result<(), ShutdownIncomplete> {
        self.take_flush().run(timeout)
    }

    #[cfg(test)]
    pub(super) fn flush_lines(&self, timeout: Duration) -> bool {
        self.stats.lines.flush(timeout)
    }

    fn take_flush(&mut self) -> Flush {
        self.flushed = true;
        Flush {
            lines: Arc::clone(&self.stats.lines),
            exporter: self.exporter.take(),
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if !self.flushed {
            // Nobody is left to be told.
            let _ = self.take_flush().run(DROP_TIMEOUT);
        }
    }
}

/// What telemetry lost and delivered since the start. Cheap to clone.
///
/// ```
/// # use msf_core::telemetry::TelemetryStats;
/// fn is_losing(stats: &TelemetryStats) -> bool {
///     stats.dropped_lines() > 0 || stats.dropped_spans() > 0 || stats.failed_spans() > 0
/// }
/// ```
#[derive(Clone)]
pub struct TelemetryStats {
    lines: Arc<Progress>,
    spans: Arc<SpanCounters>,
}

impl TelemetryStats {
    pub(super) fn new(lines: Arc<Progress>, spans: Arc<SpanCounters>) -> Self {
        Self { lines, spans }
    }

    /// Log lines that were never written: the queue was full, or writing failed.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.lines.dropped()
    }

    /// Spans dropped because the export queue was full or closed.
    #[must_use]
    pub fn dropped_spans(&self) -> u64 {
        self.spans.dropped.load(Ordering::Relaxed)
    }

    /// Spans the collector took.
    #[must_use]
    pub fn exported_spans(&self) -> u64 {
        self.spans.exported.load(Ordering::Relaxed)
    }

    /// Spans lost because the collector did not take them: it was unreachable, too slow, or
    /// refused.
    #[must_use]
    pub fn failed_spans(&self) -> u64 {
        self.spans.failed.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for TelemetryStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetryStats")
            .field("dropped_lines", &self.dropped_lines())
            .field("dropped_spans", &self.dropped_spans())
            .field("exported_spans", &self.exported_spans())
            .field("failed_spans", &self.failed_spans())
            .finish()
    }
}

/// Counted by a span exporter; all zero without one.
#[derive(Debug, Default)]
pub(super) struct SpanCounters {
    pub(super) dropped: AtomicU64,
    pub(super) exported: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// A span exporter, as far as ending it goes.
pub(super) trait SpanFlush: fmt::Debug + Send + Sync {
    /// Starts to export what is waiting, without blocking; the answer says whether all of it went
    /// out.
    fn start_shutdown(self: Box<Self>, timeout: Duration) -> Receiver<bool>;
}

struct Flush {
    lines: Arc<Progress>,
    exporter: Option<Box<dyn SpanFlush>>,
}

impl Flush {
    fn run(self, timeout: Duration) -> Result<(), ShutdownIncomplete> {
        let started = Instant::now();
        let spans = self
            .exporter
            .map(|exporter| exporter.start_shutdown(timeout));
        let mut lines_done = self.lines.flush(timeout);
        let spans_done = spans.is_none_or(|spans| {
            let left = timeout.saturating_sub(started.elapsed());
            // No answer in time, or nobody to give one: not done.
            spans.recv_timeout(left).unwrap_or(false)
        });
        if lines_done {
            // The exporter may have had something to say at the end.
            lines_done = self.lines.flush(LAST_WORDS);
        }
        if lines_done && spans_done {
            return Ok(());
        }
        Err(ShutdownIncomplete {
            timeout,
            lines: !lines_done,
            spans: !spans_done,
        })
    }
}

/// How long dropping the guard may block.
const DROP_TIMEOUT: Duration = Duration::from_millis(500);

/// How long the last lines of the exporter are waited for, beyond the timeout.
const LAST_WORDS: Duration = Duration::from_millis(50);
