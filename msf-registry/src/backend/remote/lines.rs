//! An answer that is read line by line, within a limit in size.

use reqwest::Response;

use super::exchange::unreachable;
use crate::error::RegistryError;

/// An answer of one JSON value per line, read as it comes.
#[derive(Debug)]
pub(in crate::backend) struct Lines {
    response: Response,
    /// What was received and not given out yet.
    buffer: Vec<u8>,
    /// How much of it is known to have no end of a line: a line that comes byte by byte is read once.
    searched: usize,
    line_max: usize,
}

/// What came of waiting for a line.
#[derive(Debug)]
pub(in crate::backend) enum NextLine {
    Whole(Vec<u8>),
    /// It is larger than a line may be; nothing more can be read.
    TooLong,
    End,
}

impl Lines {
    /// The lines of an answer whose head was read.
    pub(in crate::backend) const fn new(response: Response, line_max: usize) -> Self {
        Self {
            response,
            buffer: Vec::new(),
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
                let rest = self.buffer.split_off(self.searched + end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                line.pop();
                if line.is_empty() {
                    continue;
                }
                return Ok(NextLine::Whole(line));
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
                    return Ok(NextLine::Whole(std::mem::take(&mut self.buffer)));
                }
            }
        }
    }
}
