//! Nobody to call.

use msf_core::{
    name::ServiceName,
    problem::{Code, Problem},
};

/// No instance of the service can be picked.
///
/// ```
/// use msf_core::{name::ServiceName, problem::{Code, Problem}};
/// use msf_registry::{PickContext, Registry, backend::memory::MemoryRegistry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::new(MemoryRegistry::new());
/// let nobody = registry.service(&ServiceName::new("payment")?).pick(&PickContext::new()).unwrap_err();
/// assert_eq!(Problem::from(nobody).code(), Code::NoHealthyEndpoint);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no instance of `{service}` can be called: {reason}")]
#[non_exhaustive]
pub struct NoEndpoints {
    /// The service.
    pub service: ServiceName,
    /// Why there is none.
    pub reason: NoEndpointsReason,
}

/// Why there is no instance to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NoEndpointsReason {
    /// The registry has not answered since this process started to watch the service.
    #[error("the registry has not answered yet")]
    NotYetKnown,
    /// The registry lists none.
    #[error("none is registered")]
    NoneRegistered,
    /// None that the registry lists takes calls now.
    #[error("none that is registered takes calls")]
    NoneAvailable,
    /// All that are listed were excluded by the caller.
    #[error("all were tried")]
    AllExcluded,
}

impl From<NoEndpoints> for Problem {
    fn from(error: NoEndpoints) -> Self {
        Self::new(Code::NoHealthyEndpoint)
            .with_detail(error.to_string())
            .with_source(error)
    }
}
