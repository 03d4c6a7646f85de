//! One handshake.

use std::{io, sync::Arc, time::Duration};

use rustls::{ProtocolVersion, ServerConfig, server::Acceptor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time,
};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, server::TlsStream};

use super::{
    connection::{ClientCertificate, TlsConnection},
    handle::Tls,
    snapshot::Snapshot,
};
use crate::server::stream::Socket;

/// Why there is no encrypted connection.
#[derive(Debug, thiserror::Error)]
pub(in crate::server) enum HandshakeFailed {
    #[error("closed before it began")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the client speaks plain HTTP")]
    PlainHttp,
    #[error("it took too long")]
    Slow,
    #[error("there is no certificate for the name that it asked for")]
    UnknownName,
}

impl Tls {
    pub(in crate::server) async fn handshake(
        &self,
        socket: Socket,
    ) -> Result<(TlsStream<Socket>, TlsConnection), HandshakeFailed> {
        let snapshot = Arc::clone(&self.current());
        let limit = snapshot.handshake_timeout;
        // Boxed: what a handshake needs must not be carried along for as long as the connection lives.
        let shaken = Box::pin(self.shake(socket, snapshot));
        match time::timeout(limit, shaken).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(HandshakeFailed::Slow),
        }
    }

    async fn shake(
        &self,
        mut socket: Socket,
        snapshot: Arc<Snapshot>,
    ) -> Result<(TlsStream<Socket>, TlsConnection), HandshakeFailed> {
        let mut first = [0];
        match socket.tcp().peek(&mut first).await {
            Ok(0) => return Err(HandshakeFailed::Closed),
            Ok(_) => socket.activity().on_front(),
            // Some health checks reset instead of closing.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Err(HandshakeFailed::Closed);
            }
            Err(error) => return Err(error.into()),
        }
        // Every method of HTTP begins so, and no record of TLS does (RFC 8446 section 5.1).
        if first[0].is_ascii_uppercase() {
            socket.write_all(PLAIN_HTTP).await?;
            linger(socket).await;
            return Err(HandshakeFailed::PlainHttp);
        }
        let start = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
        let name = start.client_hello().server_name().map(Box::<str>::from);
        let Some(entry) = snapshot.entry(name.as_deref()) else {
            // It fails, and tells the client why.
            let _refused = accepted(start, &snapshot.refusing).await?;
            return Err(HandshakeFailed::UnknownName);
        };
        let stream = accepted(start, &entry.config).await?;
        let (_, session) = stream.get_ref();
        let chain = session.peer_certificates();
        let client = chain.and_then(|chain| chain.first());
        let info = TlsConnection {
            tls: self.clone(),
            policy: entry.policy,
            is_tls13: session.protocol_version() == Some(ProtocolVersion::TLSv1_3),
            server_name: name,
            client: client.map(ClientCertificate::new),
        };
        Ok((stream, info))
    }
}

/// The rest of the handshake.
async fn accepted(
    start: StartHandshake<Socket>,
    config: &Arc<ServerConfig>,
) -> Result<TlsStream<Socket>, HandshakeFailed> {
    match start.into_stream(config.clone()).into_fallible().await {
        Ok(stream) => Ok(stream),
        Err((error, socket)) => {
            // A client that has no certificate to show has sent its request by now. Closed with unread bytes, the
            // socket would reset, and the alert that says why would be lost.
            if error.kind() == io::ErrorKind::InvalidData {
                linger(socket).await;
            }
            Err(error.into())
        }
    }
}

/// Ends our side, and throws away for a moment what the other one still sends.
async fn linger(mut socket: Socket) {
    let drained = async {
        socket.shutdown().await?;
        let mut scratch = [0; 512];
        while socket.read(&mut scratch).await? > 0 {}
        io::Result::Ok(())
    };
    let _in_time = time::timeout(LINGER_MAX, drained).await;
}

/// As long as after an answer; a handshake that takes too long ends it earlier.
const LINGER_MAX: Duration = Duration::from_secs(1);
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: application/problem+json\r\n\
    connection: close\r\n\
    content-length: 135\r\n\r\n\
    {\"title\":\"The request is malformed\",\"status\":400,\"code\":\"bad_request\",\"type\":\"about:blank\",\"detail\":\"this port speaks https, not http\"}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_is_well_formed() {
        let text = std::str::from_utf8(PLAIN_HTTP).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length = format!("content-length: {}", body.len());
        assert!(head.ends_with(&length), "{length}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["code"], crate::problem::Code::BadRequest.as_str());
        assert_eq!(body["title"], crate::problem::Code::BadRequest.title());
    }
}
