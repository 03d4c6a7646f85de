//! What can go wrong while telemetry is set up or shut down.

use std::{io, time::Duration};

use thiserror::Error;

use crate::BoxError;

/// Why telemetry could not be set up.
///
/// None of these is a reason to stop serving: a host reports it and goes on without.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The process already has a global subscriber; it stays as it was.
    #[error("a global tracing subscriber is already set")]
    AlreadySet,
    /// The span exporter could not be built.
    #[error("cannot build the span exporter")]
    Exporter(#[source] BoxError),
    /// The collector's address cannot be used.
    #[error("invalid OTLP endpoint `{endpoint}`: {reason}")]
    InvalidEndpoint {
        /// The address as it was written, without credentials.
        endpoint: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The level directive cannot be understood.
    #[error(transparent)]
    InvalidLevel(#[from] InvalidLevel),
    /// A setting is out of its range.
    #[error("invalid `{key}`: {reason}")]
    InvalidSetting {
        /// The key, relative to its table.
        key: &'static str,
        /// What is allowed.
        reason: &'static str,
    },
    /// The thread that writes log lines could not be started.
    #[error("cannot start the log writer thread")]
    Thread(#[source] io::Error),
}

/// A level directive that cannot be understood.
///
/// ```
/// use msf_core::telemetry::{LogConfig, TelemetrySetup};
///
/// let mut log = LogConfig::default();
/// log.level = "info,hyper=loud".to_owned();
/// let error = TelemetrySetup::new(&log).check().unwrap_err();
/// assert!(error.to_string().starts_with("invalid log level `hyper=loud`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("invalid log level `{directive}`: {reason}")]
#[non_exhaustive]
pub struct InvalidLevel {
    /// The offending directive.
    pub directive: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Shutdown ended before everything was written out.
///
/// ```
/// # use std::time::Duration;
/// # use msf_core::telemetry::ShutdownIncomplete;
/// fn report(error: &ShutdownIncomplete) -> bool {
///     error.lines || error.spans
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("telemetry was not written out within {timeout:?}")]
#[non_exhaustive]
pub struct ShutdownIncomplete {
    /// The bound that passed.
    pub timeout: Duration,
    /// Log lines are still waiting.
    pub lines: bool,
    /// Finished spans are still waiting.
    pub spans: bool,
}
