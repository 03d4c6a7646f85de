//! Which protocol a client speaks.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use super::super::stream::Stream;
use crate::BoxError;

/// What is spoken over a connection, for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// Reads until it is known what a client speaks: HTTP/2 begins with its preface (RFC 9113 section 3.4), which may come
/// byte by byte, and everything else is left to the parser of HTTP/1.
pub(super) struct FirstBytes {
    stream: Stream,
    seen: Vec<u8>,
    version: Option<Version>,
    is_given_up: bool,
}

impl FirstBytes {
    pub(super) const fn of(stream: Stream) -> Self {
        Self {
            stream,
            seen: Vec::new(),
            version: None,
            is_given_up: false,
        }
    }

    /// Nothing more is awaited.
    pub(super) const fn give_up(&mut self) {
        self.is_given_up = true;
    }

    /// The version, and the stream as if nothing had been read; `None` if the client was given up before it was known.
    pub(super) fn told(mut self) -> Option<(Version, Stream)> {
        self.stream.put_back(Bytes::from(self.seen));
        self.version.map(|version| (version, self.stream))
    }
}

impl Future for FirstBytes {
    type Output = Result<(), BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut piece = [0; PIECE];
        while !this.is_given_up && this.version.is_none() {
            let mut buf = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() && this.seen.is_empty() {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
            }
            let is_over = buf.filled().is_empty();
            this.seen.extend_from_slice(buf.filled());
            this.version = version(&this.seen, is_over);
        }
        Poll::Ready(Ok(()))
    }
}

/// `None` for a part of the preface, of which there may be more.
fn version(seen: &[u8], is_over: bool) -> Option<Version> {
    if seen.starts_with(PREFACE) {
        Some(Version::Http2)
    } else if is_over || !PREFACE.starts_with(seen) {
        Some(Version::Http1)
    } else {
        None
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Most heads of requests, so that the first one takes no second read.
const PIECE: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preface_alone_is_http2() {
        for (seen, expected) in [
            (PREFACE, Some(Version::Http2)),
            (&[PREFACE, b"\0\0\0\x04"].concat()[..], Some(Version::Http2)),
            (&PREFACE[..23], None),
            (b"P", None),
            (b"PR", None),
            (b"POST / HTTP/1.1\r\n", Some(Version::Http1)),
            (b"PRI * HTTP/2.1", Some(Version::Http1)),
            (b"\r\n", Some(Version::Http1)),
            (b"\x16\x03\x01", Some(Version::Http1)),
        ] {
            assert_eq!(version(seen, false), expected, "{seen:?}");
        }
        assert_eq!(version(b"PRI", true), Some(Version::Http1));
    }
}
