//! Bytes from one side to the other.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One direction of a tunnel.
///
/// It reads into room that all tunnels of a thread share, and keeps only what the other side does not take
/// at once: a tunnel that is idle, or flows, has no buffer.
#[derive(Debug, Default)]
pub(super) struct Pump {
    /// What was read and not yet written, from `written` on.
    rest: Vec<u8>,
    written: usize,
    bytes: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Flowing,
    /// The reader has ended, and its end is to be passed on.
    Ending,
    Ended,
}

thread_local! {
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; ROOM_LEN].into());
}

impl Pump {
    pub(super) fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// How much was written since this was asked last.
    pub(super) fn take_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    /// Moves what can be moved; ready once the end was passed on.
    pub(super) fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..TURNS_MAX {
            ready!(self.poll_rest(cx, writer))?;
            match self.state {
                State::Flowing => {}
                State::Ending => {
                    ready!(Pin::new(&mut *writer).poll_shutdown(cx))?;
                    self.state = State::Ended;
                    return Poll::Ready(Ok(()));
                }
                State::Ended => return Poll::Ready(Ok(())),
            }
            if self.poll_once(cx, reader, writer)?.is_pending() {
                ready!(Pin::new(&mut *writer).poll_flush(cx))?;
                return Poll::Pending;
            }
        }
        // A side that never stops must not keep the others of this thread waiting.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what is left over.
    fn poll_rest<W>(&mut self, cx: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        while self.written < self.rest.len() {
            let rest = &self.rest[self.written..];
            let len = ready!(Pin::new(&mut *writer).poll_write(cx, rest))?;
            self.written += wrote(len)?;
            self.bytes += len as u64;
        }
        if !self.rest.is_empty() {
            self.rest = Vec::new();
            self.written = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and writes it, as far as the other side takes it.
    fn poll_once<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Result<Poll<()>, io::Error>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        ROOM.with_borrow_mut(|room| {
            let mut buf = ReadBuf::new(room);
            match Pin::new(reader).poll_read(cx, &mut buf) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(read) => read?,
            }
            let mut unwritten = buf.filled();
            if unwritten.is_empty() {
                self.state = State::Ending;
            }
            while !unwritten.is_empty() {
                match Pin::new(&mut *writer).poll_write(cx, unwritten) {
                    Poll::Ready(len) => {
                        let len = wrote(len?)?;
                        self.bytes += len as u64;
                        unwritten = &unwritten[len..];
                    }
                    Poll::Pending => {
                        self.rest.extend_from_slice(unwritten);
                        break;
                    }
                }
            }
            Ok(Poll::Ready(()))
        })
    }
}

fn wrote(len: usize) -> io::Result<usize> {
    if len == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    Ok(len)
}

const ROOM_LEN: usize = 64 << 10;
const TURNS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    proptest! {
        #[test]
        fn every_byte_arrives_once_and_in_order(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..40),
            room_in in 1_usize..64,
            room_out in 1_usize..64,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let (mut sender, mut reader) = duplex(room_in);
                let (mut writer, mut receiver) = duplex(room_out);
                let expected = pieces.concat();
                let send = async {
                    for piece in &pieces {
                        sender.write_all(piece).await.unwrap();
                    }
                    drop(sender);
                };
                let mut pump = Pump::default();
                let pumping = async {
                    poll_fn(|cx| pump.poll(cx, &mut reader, &mut writer)).await.unwrap();
                };
                let mut seen = Vec::new();
                let receive = async { receiver.read_to_end(&mut seen).await.unwrap() };
                tokio::join!(send, pumping, receive);
                prop_assert_eq!(seen.len(), expected.len());
                prop_assert_eq!(seen, expected);
                prop_assert!(pump.has_ended());
                prop_assert_eq!(pump.take_bytes(), pieces.concat().len() as u64);
                prop_assert_eq!(pump.rest.capacity(), 0);
                Ok(())
            })?;
        }
    }

    #[tokio::test]
    async fn a_writer_that_is_gone_is_an_error() {
        let (mut sender, mut reader) = duplex(64);
        let (mut writer, receiver) = duplex(64);
        drop(receiver);
        sender.write_all(b"x").await.unwrap();
        let mut pump = Pump::default();
        let ended = poll_fn(|cx| pump.poll(cx, &mut reader, &mut writer)).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
