//! Puts the subscriber together and makes it the process's own.

use std::{
    env, fmt,
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use tracing::Dispatch;
use tracing_subscriber::{
    Registry,
    layer::{Layer, Layered, SubscriberExt},
};

use super::{
    config::{LogConfig, LogFormat},
    error::TelemetryError,
    gate::Gate,
    guard::{SpanCounters, SpanFlush, Telemetry, TelemetryStats},
    level::{Directives, LevelHandle},
    lines::{LineLayer, LineQueue, LineStyle},
};

/// Sets up logs with one call: see the [module documentation](super).
///
/// # Errors
///
/// As [`TelemetrySetup::init`].
pub fn init(log: &LogConfig) -> Result<Telemetry, TelemetryError> {
    TelemetrySetup::new(log).init()
}

/// Telemetry about to be set up: logs, and what else is added.
///
/// ```
/// use msf_core::telemetry::{LogConfig, TelemetrySetup};
///
/// let setup = TelemetrySetup::new(&LogConfig::default());
/// assert!(setup.check().is_ok());
/// ```
#[must_use = "nothing is set up before `init`"]
pub struct TelemetrySetup {
    log: LogConfig,
    pub(super) exporter: Option<SpanExport>,
}

impl TelemetrySetup {
    /// Starts with logs alone.
    pub fn new(log: &LogConfig) -> Self {
        Self {
            log: log.clone(),
            exporter: None,
        }
    }

    /// Looks for what [`init`](Self::init) would refuse, without doing anything.
    ///
    /// # Errors
    ///
    /// [`TelemetryError::InvalidLevel`] and [`TelemetryError::InvalidSetting`].
    pub fn check(&self) -> Result<(), TelemetryError> {
        self.directives(rust_log().as_deref()).map(drop)
    }

    /// Starts the log writer and sets the global subscriber of this process.
    ///
    /// Lines go to standard output. Call it once, early in `main`; nothing here needs a runtime.
    ///
    /// # Errors
    ///
    /// [`TelemetryError`] if a setting is wrong, a thread cannot be started, or a global
    /// subscriber is set already: that one stays, and the caller can go on with it.
    pub fn init(self) -> Result<Telemetry, TelemetryError> {
        let style = self.style();
        let (dispatch, telemetry) = self.build(io::stdout(), style, rust_log().as_deref())?;
        tracing::dispatcher::set_global_default(dispatch)
            .map_err(|_| TelemetryError::AlreadySet)?;
        Ok(telemetry)
    }

    /// The subscriber itself, writing JSON lines to `out`, for a program that sets its subscriber in
    /// another way or elsewhere than standard output.
    ///
    /// ```
    /// use msf_core::telemetry::{LogConfig, TelemetrySetup};
    ///
    /// let setup = TelemetrySetup::new(&LogConfig::default());
    /// let (dispatch, _telemetry) = setup.into_dispatch(std::io::sink())?;
    /// tracing::dispatcher::with_default(&dispatch, || tracing::info!("nobody reads this"));
    /// # Ok::<(), msf_core::telemetry::TelemetryError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init), but for a subscriber that is already set.
    pub fn into_dispatch(
        self,
        out: impl Write + Send + 'static,
    ) -> Result<(Dispatch, Telemetry), TelemetryError> {
        self.build(out, LineStyle::Json, rust_log().as_deref())
    }

    /// Everything but the global subscriber, with the process's surroundings as arguments.
    pub(super) fn build(
        self,
        out: impl Write + Send + 'static,
        style: LineStyle,
        rust_log: Option<&str>,
    ) -> Result<(Dispatch, Telemetry), TelemetryError> {
        let level = LevelHandle::new(self.directives(rust_log)?);
        let queue = LineQueue::start(out, self.log.queue_lines, style.dropped_notice())
            .map_err(TelemetryError::Thread)?;
        let lines = Arc::clone(queue.progress());
        let (layer, flush, spans) = match self.exporter {
            Some(export) => (Some(export.layer), Some(export.flush), export.counters),
            None => (None, None, Arc::default()),
        };
        let subscriber = Registry::default()
            .with(Gate::new(level.clone(), layer.is_some()))
            .with(LineLayer::new(queue, style))
            .with(layer);
        let stats = TelemetryStats::new(lines, spans);
        Ok((
            Dispatch::new(subscriber),
            Telemetry::new(level, stats, flush),
        ))
    }

    fn directives(&self, rust_log: Option<&str>) -> Result<Directives, TelemetryError> {
        if self.log.queue_lines == 0 || self.log.queue_lines > MAX_QUEUE_LINES {
            return Err(TelemetryError::InvalidSetting {
                key: "queue_lines",
                reason: "it must be from 1 to 1048576",
            });
        }
        // A wrong `level` is reported even while `RUST_LOG` hides it.
        let configured = Directives::parse(&self.log.level)?;
        Ok(match rust_log {
            Some(text) => Directives::parse_lenient(text)?,
            None => configured,
        })
    }

    fn style(&self) -> LineStyle {
        let on_terminal = io::stdout().is_terminal();
        let pretty = match self.log.format {
            LogFormat::Auto => on_terminal,
            LogFormat::Json => false,
            LogFormat::Pretty => true,
        };
        if !pretty {
            return LineStyle::Json;
        }
        // https://no-color.org: set to anything but the empty string.
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        LineStyle::Pretty {
            colour: on_terminal && !refused && !dumb,
        }
    }
}

/// What a feature adds to export spans.
pub(super) struct SpanExport {
    pub(super) layer: Box<dyn Layer<Lines> + Send + Sync>,
    pub(super) flush: Box<dyn SpanFlush>,
    pub(super) counters: Arc<SpanCounters>,
}

/// The subscriber without an exporter.
pub(super) type Lines = Layered<LineLayer, Layered<Gate, Registry>>;

impl fmt::Debug for TelemetrySetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetrySetup")
            .field("log", &self.log)
            .field("exports_spans", &self.exporter.is_some())
            .finish()
    }
}

fn rust_log() -> Option<String> {
    env::var("RUST_LOG")
        .ok()
        .filter(|text| !text.trim().is_empty())
}

/// More would be a leak with a limit: a quarter of a GiB of typical lines.
const MAX_QUEUE_LINES: usize = 1 << 20;
