//! An answer that is read line by line, within a limit in size.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

use super::exchange::unreachable;
use crate::error::RegistryError;

/// An answer of one JSON value per line, read as it comes.
#[derive(Debug)]
pub(in crate::backend) struct Lines {
    response: Response,
    /// What was received and not given out yet.
    buffer: BytesMut,
    /// How much of it is known to have no end of a line: a line that comes byte by byte is read once.
    searched: usize,
    line_max: usize,
}

/// What came of waiting for a line.
#[derive(Debug)]
pub(in crate::backend) enum NextLine {
    Whole(Bytes),
    /// It is larger than a line may be; nothing more can be read.
    TooLong,
    End,
}

impl Lines {
    /// The lines of an answer whose head was read.
    pub(in crate::backend) fn new(response: Response, line_max: usize) -> Self {
        Self {
            response,
            buffer: BytesMut::new(),
            searched: 0,
            line_max,
        }
    }

    /// The next line that is not empty.
    ///
    /// Dropping it loses nothing: what has come is kept for the next call.
    pub(in crate::backend) async fn next(&mut self) -> Result<NextLine, RegistryError> {
        loop {
            let mut rest = self.buffer[self.searched..].iter();
            if let Some(end) = rest.position(|byte| *byte == b'\n') {
                // What follows is not copied: a piece may have as many lines as bytes.
                let mut line = self.buffer.split_to(self.searched + end + 1);
                self.searched = 0;
                line.truncate(line.len() - 1);
                if line.is_empty() {
                    continue;
                }
                return Ok(NextLine::Whole(line.freeze()));
            }
            self.searched = self.buffer.len();
            match self.response.chunk().await.map_err(unreachable)? {
                Some(chunk) if self.buffer.len() + chunk.len() > self.line_max => {
                    return Ok(NextLine::TooLong);
                }
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(NextLine::End),
                None => {
                    self.searched = 0;
                    return Ok(NextLine::Whole(self.buffer.split().freeze()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use msf_core::clock;

    use super::*;

    /// The lines of an answer that comes in these pieces.
    async fn lines(pieces: Vec<Vec<u8>>, line_max: usize) -> Lines {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let _asked = std::io::Read::read(&mut stream, &mut [0; 1024]).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .unwrap();
            for piece in pieces {
                write!(stream, "{:x}\r\n", piece.len()).unwrap();
                stream.write_all(&piece).unwrap();
                stream.write_all(b"\r\n").unwrap();
            }
            // Whoever has heard enough may have hung up.
            let _ended = stream.write_all(b"0\r\n\r\n");
        });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Lines::new(client.get(url).send().await.unwrap(), line_max)
    }

    async fn all(mut lines: Lines) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            match lines.next().await.unwrap() {
                NextLine::Whole(line) => all.push(String::from_utf8(line.to_vec()).unwrap()),
                NextLine::TooLong => all.push("too long".to_owned()),
                NextLine::End => return all,
            }
            if all.last().is_some_and(|line| line == "too long") {
                return all;
            }
        }
    }

    #[tokio::test]
    async fn pieces_and_lines_have_nothing_to_do_with_each_other() {
        let text = "{\"a\":1}\n\n{\"b\":\"\u{1f980}\"}\n{\"c\":3}";
        let expected = ["{\"a\":1}", "{\"b\":\"\u{1f980}\"}", "{\"c\":3}"];
        for size in [1, 2, 7, 10, text.len()] {
            let pieces = text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
            assert_eq!(all(lines(pieces, 64).await).await, expected, "by {size}");
        }
    }

    #[tokio::test]
    async fn only_one_line_counts_towards_the_limit() {
        let line = || b"0123456789\n".to_vec();
        assert_eq!(all(lines(vec![line(); 9], 16).await).await.len(), 9);
        let endless = vec![b"0123456789".to_vec(); 9];
        assert_eq!(all(lines(endless, 16).await).await, ["too long"]);
    }

    #[tokio::test]
    async fn nothing_but_ends_of_lines_keeps_nobody_busy() {
        let begun = clock::now();
        let nothing = vec![vec![b'\n'; 400_000]; 4];
        assert!(all(lines(nothing, 1 << 20).await).await.is_empty());
        assert!(clock::now() - begun < std::time::Duration::from_secs(2));
    }
}
