//! What a service of the shop is given, and what it gives back.

use axum::Router;
use msf_auth::{JwksFetchError, Keys, RemoteKeys};
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

impl Context {
    /// The context of a service that finds the others through `client`.
    ///
    /// # Errors
    ///
    /// [`OpenError`], never in practice: the names are ours.
    pub(crate) fn new(data: DataDir, metrics: Metrics, client: Client) -> Result<Self, OpenError> {
        let users = client
            .service("user")
            .map_err(OpenError::because("`user` is no name"))?;
        let keys = RemoteKeys::new(move || {
            let users = users.clone();
            async move {
                let response = users.get("/.well-known/jwks.json").send().await;
                let response = response.map_err(JwksFetchError::new)?.ok().await;
                let response = response.map_err(JwksFetchError::new)?;
                response.bytes().await.map_err(JwksFetchError::new)
            }
        });
        Ok(Self {
            data,
            metrics,
            clock: WallClock::system(),
            user_keys: keys.into(),
            client,
        })
    }
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
