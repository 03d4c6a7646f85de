//! Why a service could not run.

use std::{error::Error, fmt, io};

use crate::{
    BoxError, config::ConfigError, health::AddCheckError, metrics::MetricsError, name::InvalidName,
    server::BindError, telemetry::TelemetryError,
};

/// Why a service could not start or go on.
///
/// Its `Debug` form is written for people, since that is what `main` prints of an error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The service's name is no name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The configuration is wrong; the text lists every mistake.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logs or traces could not be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A health check could not be added.
    #[error(transparent)]
    Check(#[from] AddCheckError),
    /// A metric was registered before in another shape.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A hook failed, so the service did not become ready.
    #[error("the start hook failed")]
    Start(#[source] BoxError),
    /// A start hook took longer than it may.
    #[error("the start hooks were not done after {0:?}")]
    StartTimeout(std::time::Duration),
    /// A signal came before the start was done.
    #[error("stopped before the start was done")]
    Stopped,
    /// The server itself failed.
    #[error("the server failed")]
    Server(#[source] io::Error),
    /// The operating system does not let us listen for signals.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
}

impl fmt::Debug for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = self.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

const _: () = assert!(
    size_of::<Result<(), HostError>>() <= 128,
    "Err must stay small"
);
