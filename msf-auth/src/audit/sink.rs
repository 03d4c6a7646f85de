//! Where events go.

use std::{fmt, sync::Arc};

use super::{Event, Severity};

/// Takes events. It must not wait and must not fail; see the [module documentation](super).
#[diagnostic::on_unimplemented(
    message = "`{Self}` takes no audit events",
    note = "implement `AuditSink` for it, or use `LogSink`"
)]
pub trait AuditSink: Send + Sync + 'static {
    /// Takes one event.
    fn record(&self, event: &Event<'_>);
}

/// Where this part of the program sends its events. Cloning shares the sink.
///
/// ```
/// use msf_auth::audit::{Audit, AuditSink, Event, Kind};
///
/// struct Print;
///
/// impl AuditSink for Print {
///     fn record(&self, event: &Event<'_>) {
///         println!("{}", event.kind());
///     }
/// }
///
/// Audit::new(Print).record(&Event::new(Kind::PasswordChanged).subject("7"));
/// ```
#[derive(Clone)]
pub struct Audit(Arc<dyn AuditSink>);

impl Audit {
    /// Events go to a sink.
    #[must_use]
    pub fn new(sink: impl AuditSink) -> Self {
        Self(Arc::new(sink))
    }

    /// Events go to the log; the default everywhere.
    #[must_use]
    pub fn log() -> Self {
        Self::new(LogSink)
    }

    /// Tells the sink.
    pub fn record(&self, event: &Event<'_>) {
        self.0.record(event);
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self::log()
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").finish_non_exhaustive()
    }
}

/// Writes events to the log at target `msf_auth::audit`: what is routine at `DEBUG`, what is notable at `INFO`, alerts
/// at `ERROR`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LogSink;

macro_rules! log {
    ($level:ident, $event:ident) => {
        tracing::event!(
            target: "msf_auth::audit",
            tracing::Level::$level,
            event = $event.kind().as_str(),
            subject = $event.field("subject"),
            issuer = $event.field("issuer"),
            client = $event.field("client"),
            session = $event.field("session"),
            key_id = $event.field("key_id"),
            token_id = $event.field("token_id"),
            network = $event.field("network"),
            reason = $event.field("reason"),
            request = $event.field("request"),
        )
    };
}

impl AuditSink for LogSink {
    fn record(&self, event: &Event<'_>) {
        // A level is part of the call site, so each has its own.
        match event.kind().severity() {
            Severity::Routine => log!(DEBUG, event),
            Severity::Notable => log!(INFO, event),
            Severity::Alert => log!(ERROR, event),
        }
    }
}
