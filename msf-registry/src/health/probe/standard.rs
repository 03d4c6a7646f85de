//! The check that an instance asks for.

use async_trait::async_trait;

use super::{GrpcProbe, HttpProbe, Probe, ProbeFailed, TcpProbe};
use crate::model::{HealthCheck, Instance};

/// Checks an instance as its [`HealthCheck`] says: by HTTP, TCP or gRPC. A [`HealthChecker`] uses it unless it
/// is told otherwise; a [`Probe`] of your own may hand on to it what it does not check itself.
///
/// [`HealthChecker`]: crate::health::HealthChecker
///
/// ```
/// use msf_core::name::{InstanceId, ServiceName};
/// use msf_registry::{Instance, health::{Probe, StandardProbe}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let (service, id) = (ServiceName::new("db")?, InstanceId::new("db-1")?);
/// let instance = Instance::new(service, id, listener.local_addr()?).health_check("tcp:".parse()?);
/// let probe = StandardProbe::new()?;
/// assert_eq!(probe.kind(&instance), "tcp");
/// assert!(probe.probe(&instance).await.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StandardProbe {
    http: HttpProbe,
    tcp: TcpProbe,
    grpc: GrpcProbe,
}

impl StandardProbe {
    /// A probe.
    ///
    /// # Errors
    ///
    /// [`ProbeFailed`] when the HTTP client cannot be made.
    pub fn new() -> Result<Self, ProbeFailed> {
        Ok(Self {
            http: HttpProbe::new()?,
            tcp: TcpProbe::new(),
            grpc: GrpcProbe::new(),
        })
    }
}

#[async_trait]
impl Probe for StandardProbe {
    async fn probe(&self, instance: &Instance) -> Result<(), ProbeFailed> {
        match instance.health_check {
            Some(HealthCheck::Http { .. }) => self.http.probe(instance).await,
            Some(HealthCheck::Tcp { .. }) => self.tcp.probe(instance).await,
            Some(HealthCheck::Grpc { .. }) => self.grpc.probe(instance).await,
            None => Err(ProbeFailed::new("the instance asks for no check")),
        }
    }

    fn kind(&self, instance: &Instance) -> &'static str {
        instance
            .health_check
            .as_ref()
            .map_or("none", HealthCheck::kind)
    }
}
