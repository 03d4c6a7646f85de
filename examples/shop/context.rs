//! What a service of the shop is given, and what it gives back.

use axum::Router;
use msf_auth::Keys;
use msf_client::Client;
use msf_core::{BoxError, clock::WallClock, health::Check, metrics::Metrics, task::Task};

use crate::paths::DataDir;

/// Everything that a service needs from the process it runs in; one per service.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Where databases and keys are.
    pub(crate) data: DataDir,
    /// The registry of the process's metrics.
    pub(crate) metrics: Metrics,
    /// Wall time, for what is stored and signed.
    pub(crate) clock: WallClock,
    /// The keys of the users' tokens; the user service has its own.
    pub(crate) user_keys: Keys,
    /// Calls other services by name.
    pub(crate) client: Client,
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
