//! From a socket to a header.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time};

use super::header::{InvalidHeader, Parsed, Said, parse};

/// Why a connection is closed before its first request.
#[derive(Debug, thiserror::Error)]
pub(in crate::server) enum Refused {
    #[error("closed before it began")]
    Closed,
    #[error("the header cannot be read: {0}")]
    Invalid(#[from] InvalidHeader),
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("closed before its header was complete")]
    Partial,
    #[error("the header took too long")]
    Slow,
    #[error("it comes from an address that is not trusted")]
    Stranger,
}

/// Takes the header from the socket, and not one byte of what follows.
pub(super) async fn header(
    tcp: &TcpStream,
    limit: Duration,
    on_begin: impl FnMut(),
) -> Result<Said, Refused> {
    match time::timeout(limit, taken(tcp, on_begin)).await {
        Ok(said) => said,
        Err(_elapsed) => Err(Refused::Slow),
    }
}

async fn taken(tcp: &TcpStream, mut on_begin: impl FnMut()) -> Result<Said, Refused> {
    // `parse` ends it before it is much longer than the longest header.
    let mut seen = Vec::with_capacity(PIECE);
    let mut piece = [0; PIECE];
    loop {
        // Looked at first and taken afterwards: what follows the header is read by others.
        let len = match tcp.peek(&mut piece).await {
            Ok(0) if seen.is_empty() => return Err(Refused::Closed),
            Ok(0) => return Err(Refused::Partial),
            Ok(len) => len,
            // Some health checks reset instead of closing.
            Err(error) if seen.is_empty() && error.kind() == io::ErrorKind::ConnectionReset => {
                return Err(Refused::Closed);
            }
            Err(error) => return Err(error.into()),
        };
        on_begin();
        let before = seen.len();
        seen.extend_from_slice(&piece[..len]);
        match parse(&seen)? {
            Parsed::Partial => take(tcp, &mut piece[..len]).await?,
            Parsed::Complete { len, said } => {
                take(tcp, &mut piece[..len.saturating_sub(before)]).await?;
                return Ok(said);
            }
        }
    }
}

/// Reads bytes that have arrived.
async fn take(tcp: &TcpStream, mut bytes: &mut [u8]) -> Result<(), Refused> {
    while !bytes.is_empty() {
        match tcp.try_read(bytes) {
            Ok(0) => return Err(Refused::Partial),
            Ok(len) => bytes = &mut bytes[len..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tcp.readable().await?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// More than the headers that are sent in practice.
const PIECE: usize = 256;
