//! What a service of the shop is given, and what it gives back.

use std::path::{Path, PathBuf};

use axum::Router;
use msf_core::{BoxError, clock::WallClock, health::Check, metrics::Metrics, task::Task};

/// Everything that a service needs from the process it runs in; one per service.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Where databases and keys are.
    pub(crate) data: DataDir,
    /// The registry of the process's metrics.
    pub(crate) metrics: Metrics,
    /// Wall time, for what is stored and signed.
    pub(crate) clock: WallClock,
}

/// A service that is ready to be served.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Its routes, each with its policy.
    pub(crate) router: Router,
    /// What its readiness depends on.
    pub(crate) checks: Vec<Check>,
    /// What it does between requests. Keep them until the server has drained; dropping one stops it,
    /// which is as safe as a crash.
    pub(crate) background: Vec<Task<()>>,
}

/// The directory that holds everything the shop keeps.
///
/// ```text
/// DATA/users.db orders.db payments.db inventory.db   one database per service, shared by its replicas
/// DATA/keys/<service>/                               a service's private keys
/// DATA/keys/<service>.jwks.json                      their public half, for the services it calls
/// DATA/logs/<instance>.log
/// ```
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// The directory itself, which exists.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The database of a service, such as `orders`.
    pub(crate) fn database(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.db"))
    }

    /// The directory of a service's private keys.
    pub(crate) fn keys(&self, service: &str) -> PathBuf {
        self.0.join("keys").join(service)
    }

    /// The file with the public half of a service's keys.
    pub(crate) fn jwks(&self, service: &str) -> PathBuf {
        self.0.join("keys").join(format!("{service}.jwks.json"))
    }

    /// The directory of the logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }
}

/// Why a service cannot start.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct OpenError {
    what: &'static str,
    source: BoxError,
}

impl OpenError {
    /// For `map_err`: names the part that failed.
    pub(crate) fn because<E: Into<BoxError>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self {
            what,
            source: error.into(),
        }
    }
}
