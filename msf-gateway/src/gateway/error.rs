//! What can be wrong with a gateway.

use std::fmt;

use msf_client::InvalidService;
use msf_core::{
    metrics::MetricsError,
    name::{InvalidName, ServiceName},
};

use crate::{
    access_log::StartQueueError, action::InvalidRedirect, cluster::InvalidCluster,
    cors::InvalidCors, path::InvalidPath, route::InvalidMatch, transform::InvalidTransform,
};

/// Everything that is wrong with a gateway, at once.
///
/// ```
/// # use msf_client::Client;
/// # use msf_registry::{Registry, backend::memory::MemoryRegistry};
/// use msf_gateway::{Gateway, GatewayError, Route};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Client::builder(Registry::new(MemoryRegistry::new())).build()?;
/// let errors = Gateway::builder(client)
///     .route(Route::prefix("/api/orders").to("order"))
///     .route(Route::exact("/api/../users").public())
///     .build()
///     .unwrap_err();
/// assert_eq!(errors.all().len(), 3, "no policy; a strange path; no service");
/// assert!(matches!(errors.all()[0], GatewayError::NoPolicy { .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct GatewayErrors(Vec<GatewayError>);

/// One thing that is wrong with a gateway.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The file of the access log cannot be written, or its thread not be started.
    #[error("the access log cannot be started")]
    AccessLog(#[source] std::io::Error),
    /// The client cannot call the service of a route.
    #[error("the service `{service}` cannot be called")]
    Client {
        /// The service.
        service: ServiceName,
        /// Why.
        source: InvalidService,
    },
    /// A cluster.
    #[error("cluster {cluster:?}: {source}")]
    Cluster {
        /// Its name.
        cluster: String,
        /// What is wrong with it.
        source: InvalidCluster,
    },
    /// The CORS settings of a route.
    #[error("{route}: CORS: {source}")]
    Cors {
        /// The route.
        route: String,
        /// What is wrong with them.
        source: InvalidCors,
    },
    /// Two routes take the same requests.
    #[error("{route}: an earlier route, {by}, takes {method} there already")]
    Duplicate {
        /// The later route.
        route: String,
        /// The earlier route.
        by: String,
        /// A method that both take.
        method: String,
    },
    /// Two routes have one id.
    #[error("two routes have the id `{id}`")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// A policy needs a decision that somebody else makes, whom a gateway cannot ask.
    #[error(
        "{route}: the policy needs the external decision `{name}`, for which a gateway asks nobody"
    )]
    External {
        /// The route.
        route: String,
        /// The name of the decision.
        name: String,
    },
    /// What a route matches cannot be matched.
    #[error("{route}: {source}")]
    InvalidMatch {
        /// The route.
        route: String,
        /// What is wrong.
        source: InvalidMatch,
    },
    /// A service is to get tokens for callers, and nobody mints them.
    #[error("{route}: `internal_identity` needs the gateway's `internal_tokens`")]
    NoInternalTokens {
        /// The route.
        route: String,
    },
    /// A service is to get tokens for callers that nobody asks who they are.
    #[error("{route}: on a public route nobody is known whose identity could be passed on")]
    IdentityOfNobody {
        /// The route.
        route: String,
    },
    /// The mirror of a route.
    #[error("{route}: mirror: `{setting}` must be {allowed}")]
    InvalidMirror {
        /// The route.
        route: String,
        /// The setting.
        setting: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
    /// The hedges of a route.
    #[error("{route}: the hedges cannot work")]
    InvalidHedge {
        /// The route.
        route: String,
        /// Why.
        source: msf_resilience::hedge::InvalidHedge,
    },
    /// The retries of a route.
    #[error("{route}: the retries cannot work")]
    InvalidRetry {
        /// The route.
        route: String,
        /// Why.
        source: msf_resilience::retry::InvalidRetryPolicy,
    },
    /// The redirect of a route.
    #[error("{route}: redirect: {source}")]
    InvalidRedirect {
        /// The route.
        route: String,
        /// What is wrong with it.
        source: InvalidRedirect,
    },
    /// The answer of a route.
    #[error("{route}: an answer with this status has no body, or is none")]
    InvalidResponse {
        /// The route.
        route: String,
    },
    /// The weights of a route.
    #[error("{route}: the weights must be above 0 and no cluster twice")]
    InvalidSplit {
        /// The route.
        route: String,
    },
    /// What a route does to headers and paths.
    #[error("{route}: {source}")]
    InvalidTransform {
        /// The route.
        route: String,
        /// What is wrong with it.
        source: InvalidTransform,
    },
    /// A route leads to two places.
    #[error("{route}: only one of `to`, `split`, `redirect` and `respond` can be set")]
    TwoTargets {
        /// The route.
        route: String,
    },
    /// A setting is about the call of a service, and the route calls none.
    #[error("{route}: `{setting}` is about the call of a service, and the route calls none")]
    WithoutService {
        /// The route.
        route: String,
        /// The setting, by the name of its setter.
        setting: &'static str,
    },
    /// The path of a route is not canonical, so that no request would ever match it.
    #[error("{route}: {source}")]
    InvalidPath {
        /// The route.
        route: String,
        /// What is wrong with its path.
        source: InvalidPath,
    },
    /// The name of the service.
    #[error("{route}: the service's name is not valid")]
    InvalidService {
        /// The route.
        route: String,
        /// What is wrong with it.
        source: InvalidName,
    },
    /// The metrics could not be registered.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] MetricsError),
    /// A route takes no method.
    #[error("{route}: the list of methods is empty")]
    NoMethods {
        /// The route.
        route: String,
    },
    /// A route says neither who may pass nor that everybody may.
    #[error("{route}: a policy is missing; `.public()` says that there is none")]
    NoPolicy {
        /// The route.
        route: String,
    },
    /// There is no route.
    #[error("there is no route")]
    NoRoutes,
    /// A route does not say where it leads.
    #[error("{route}: a service is missing; `.to(\"name\")` names it")]
    NoService {
        /// The route.
        route: String,
    },
    /// A policy needs tokens and nobody can verify them.
    #[error("{route}: the policy `{policy}` needs a verifier of tokens")]
    NoVerifier {
        /// The route.
        route: String,
        /// Its policy.
        policy: String,
    },
    /// A policy needs a part of the path that the route does not capture.
    #[error(
        "{route}: the policy needs the path parameter `{parameter}`, which is no capture of the route"
    )]
    PathParameter {
        /// The route.
        route: String,
        /// The parameter.
        parameter: String,
    },
    /// The gateway answers this path itself.
    #[error("{route}: the gateway answers this path itself")]
    Reserved {
        /// The route.
        route: String,
    },
    /// Only prefixes can be stripped.
    #[error("{route}: only a route of a prefix can strip it")]
    StripExact {
        /// The route.
        route: String,
    },
    /// No request reaches a route.
    #[error("{route}: no request reaches it, {by} takes them all")]
    Unreachable {
        /// The route.
        route: String,
        /// The route that takes its requests; of several that do so together the first.
        by: String,
    },
    /// A route names a protocol to which nobody may switch.
    #[error("{route}: connections cannot be switched to `{protocol}`")]
    Upgrade {
        /// The route.
        route: String,
        /// The protocol.
        protocol: String,
    },
    /// A timeout of zero would refuse everything.
    #[error("{route}: the timeout is zero")]
    ZeroTimeout {
        /// The route.
        route: String,
    },
}

impl From<StartQueueError> for GatewayError {
    fn from(error: StartQueueError) -> Self {
        match error {
            StartQueueError::Io(error) => Self::AccessLog(error),
            StartQueueError::Metrics(error) => Self::Metrics(error),
        }
    }
}

impl GatewayError {
    /// The error with what it was caused by, unless it says so itself.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        text
    }
}

impl GatewayErrors {
    pub(super) const fn new(errors: Vec<GatewayError>) -> Self {
        Self(errors)
    }

    /// The errors, in the order of the routes.
    #[must_use]
    pub fn all(&self) -> &[GatewayError] {
        &self.0
    }
}

impl fmt::Display for GatewayErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the gateway cannot be built:")?;
        for error in &self.0 {
            write!(f, "\n  {}", error.with_causes())?;
        }
        Ok(())
    }
}

impl std::error::Error for GatewayErrors {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.first().and_then(std::error::Error::source)
    }
}
