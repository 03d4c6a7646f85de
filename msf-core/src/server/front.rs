//! What a connection goes through before HTTP: the word of a balancer, then TLS.

use std::sync::Arc;

use tokio::net::TcpStream;

#[cfg(feature = "tls")]
use super::tls::{HandshakeFailed, Tls};
use super::{
    Connection, ProxyProtocol,
    activity::Activity,
    proxy_protocol::{Refused, Said},
    stream::{Socket, Transport},
};

#[derive(Clone, Debug, Default)]
pub(super) struct Front {
    pub(super) proxy_protocol: Option<ProxyProtocol>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Tls>,
}

/// Why a connection never came to its first request.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    #[error("the balancer did not say whose it is")]
    ProxyProtocol(#[from] Refused),
    #[cfg(feature = "tls")]
    #[error("the handshake failed")]
    Handshake(#[from] HandshakeFailed),
}

impl Front {
    /// `None` for a listener whose connections begin with HTTP.
    pub(super) fn into_needed(self) -> Option<Arc<Self>> {
        let is_plain = self.proxy_protocol.is_none();
        #[cfg(feature = "tls")]
        let is_plain = is_plain && self.tls.is_none();
        (!is_plain).then(|| Arc::new(self))
    }

    /// Each step has a limit of its own.
    pub(super) async fn open(
        &self,
        tcp: TcpStream,
        connection: Connection,
        activity: &Arc<Activity>,
    ) -> Result<(Transport, Connection), NotOpened> {
        let connection = match &self.proxy_protocol {
            None => connection,
            Some(expected) => match expected.read(&tcp, connection.peer().ip()).await? {
                Said::Client(client) => connection.relayed(client),
                Said::Nothing => connection,
            },
        };
        let socket = Socket::new(tcp, activity.clone());
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let (stream, info) = tls.handshake(socket).await?;
            let transport = Transport::Tls(Box::new(stream));
            return Ok((transport, connection.encrypted(info)));
        }
        Ok((Transport::Plain(socket), connection))
    }
}
