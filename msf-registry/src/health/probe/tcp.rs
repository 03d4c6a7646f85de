//! A check by connecting.

use async_trait::async_trait;
use tokio::net::TcpStream;

use super::{Probe, ProbeFailed, asked};
use crate::model::{HealthCheck, Instance};

/// Connects; passes when the connection is accepted, and closes it without a word.
///
/// It shows that a process listens, not that it works: the kernel accepts for a process that hangs. Prefer a
/// check that the instance answers itself. An instance without a check of its own is asked where it is called.
///
/// ```
/// use msf_core::name::{InstanceId, ServiceName};
/// use msf_registry::{Instance, health::{Probe, TcpProbe}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let (service, id) = (ServiceName::new("db")?, InstanceId::new("db-1")?);
/// let instance = Instance::new(service, id, listener.local_addr()?);
/// assert!(TcpProbe::new().probe(&instance).await.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TcpProbe {}

impl TcpProbe {
    /// A probe.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

#[async_trait]
impl Probe for TcpProbe {
    async fn probe(&self, instance: &Instance) -> Result<(), ProbeFailed> {
        match instance.health_check {
            None | Some(HealthCheck::Tcp { .. }) => {}
            Some(_) => return Err(ProbeFailed::wrong_kind()),
        }
        let connected = TcpStream::connect(asked(instance)).await;
        connected.map(drop).map_err(ProbeFailed::new)
    }

    fn kind(&self, _: &Instance) -> &'static str {
        "tcp"
    }
}
