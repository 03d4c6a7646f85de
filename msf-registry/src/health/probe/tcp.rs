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
        let stream = TcpStream::connect(asked(instance)).await;
        accepted(&stream.map_err(ProbeFailed::new)?)
    }

    fn kind(&self, _: &Instance) -> &'static str {
        "tcp"
    }
}

/// Whether somebody accepted the connection. Where nobody listens, the system may give the very port that is asked
/// for to the socket that asks, and TCP lets a socket open a connection with itself (RFC 9293 section 3.5).
fn accepted(stream: &TcpStream) -> Result<(), ProbeFailed> {
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(local), Ok(peer)) if local == peer => Err(ProbeFailed::new(
            "nobody listens: the connection met itself",
        )),
        // A peer that has hung up already has no address any more, and has accepted.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn a_connection_to_itself_is_nobody() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        // As a socket does that is given the very port that it asks for.
        let itself = socket.local_addr().unwrap();
        let stream = socket.connect(itself).await.unwrap();
        assert!(accepted(&stream).is_err());

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        assert!(accepted(&stream.unwrap()).is_ok());
    }
}
