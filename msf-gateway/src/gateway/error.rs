//! What can be wrong with a gateway.

use std::fmt;

use msf_client::InvalidService;
use msf_core::{
    metrics::MetricsError,
    name::{InvalidName, ServiceName},
};

use crate::path::InvalidPath;

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
    /// The client cannot call the service of a route.
    #[error("the service `{service}` cannot be called")]
    Client {
        /// The service.
        service: ServiceName,
        /// Why.
        source: InvalidService,
    },
    /// Two routes take the same requests.
    #[error("{route}: an earlier route takes {method} there already")]
    Duplicate {
        /// The later route.
        route: String,
        /// A method that both take.
        method: String,
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
    /// A policy needs a part of the path, which only the service knows.
    #[error(
        "{route}: the policy needs the path parameter `{parameter}`, which a gateway does not know"
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
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for GatewayErrors {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.first().and_then(std::error::Error::source)
    }
}
