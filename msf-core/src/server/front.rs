//! What a connection goes through before HTTP: the word of a balancer, then TLS.

use std::sync::Arc;

use tokio::net::TcpStream;

#[cfg(feature = "tls")]
use super::tls::{HandshakeFailed, Tls};
use super::{
    Connection, ProxyProtocol, Refusal,
    activity::Activity,
    addresses::Full,
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
    #[error("its client has as many connections as it may")]
    AddressFull(#[from] Full),
    #[error("the balancer did not say whose it is")]
    ProxyProtocol(#[from] Refused),
    #[cfg(feature = "tls")]
    #[error("the handshake failed")]
    Handshake(#[from] HandshakeFailed),
}

impl NotOpened {
    /// `None` for who leaves without a word, as the health checks of balancers do.
    pub(super) const fn reason(&self) -> Option<Refusal> {
        match self {
            Self::AddressFull(_) => Some(Refusal::AddressFull),
            Self::ProxyProtocol(Refused::Closed) => None,
            Self::ProxyProtocol(_) => Some(Refusal::ProxyProtocol),
            #[cfg(feature = "tls")]
            Self::Handshake(HandshakeFailed::Closed) => None,
            #[cfg(feature = "tls")]
            Self::Handshake(_) => Some(Refusal::Handshake),
        }
    }
}

impl Front {
    /// `None` for a listener whose connections begin with HTTP.
    pub(super) fn into_needed(self) -> Option<Arc<Self>> {
        let is_plain = self.proxy_protocol.is_none();
        #[cfg(feature = "tls")]
        let is_plain = is_plain && self.tls.is_none();
        (!is_plain).then(|| Arc::new(self))
    }

    /// Whose the connection is, if there is a balancer to say so. It has a limit of its own.
    pub(super) async fn relayed(
        &self,
        tcp: &TcpStream,
        connection: Connection,
        activity: &Activity,
    ) -> Result<Connection, NotOpened> {
        let Some(expected) = &self.proxy_protocol else {
            return Ok(connection);
        };
        let said = expected
            .read(tcp, connection.peer().ip(), || activity.on_front())
            .await?;
        Ok(match said {
            Said::Client(client) => connection.relayed(client),
            Said::Nothing => connection,
        })
    }

    /// What HTTP is spoken over, after a handshake if there is TLS, which has a limit of its own.
    #[cfg_attr(
        not(feature = "tls"),
        expect(clippy::unused_async, reason = "only a handshake is waited for")
    )]
    pub(super) async fn transport(
        &self,
        tcp: TcpStream,
        connection: Connection,
        activity: &Arc<Activity>,
    ) -> Result<(Transport, Connection), NotOpened> {
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
