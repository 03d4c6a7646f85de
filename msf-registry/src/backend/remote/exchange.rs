//! One request and its answer, within limits.

use std::time::Duration;

use http::HeaderMap;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::RegistryError;

/// An answer that was read to its end.
#[derive(Debug)]
pub(in crate::backend) struct Answer {
    pub(in crate::backend) status: StatusCode,
    pub(in crate::backend) headers: HeaderMap,
    pub(in crate::backend) body: Vec<u8>,
}

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

/// Sends a request and waits for the head of the answer. The caller limits the time, with [`within`].
pub(in crate::backend) async fn send(request: RequestBuilder) -> Result<Response, RegistryError> {
    request.send().await.map_err(unreachable)
}

impl Answer {
    /// Reads a whole answer. The caller limits the time, with [`within`].
    pub(in crate::backend) async fn read(
        mut response: Response,
        bytes_max: usize,
    ) -> Result<Self, RegistryError> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > bytes_max {
                return Err(RegistryError::Protocol(
                    format!("the answer is larger than {bytes_max} bytes").into(),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Self {
            status,
            headers,
            body,
        })
    }
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

/// An exchange, given up after `limit`.
pub(in crate::backend) async fn within<T>(
    limit: Duration,
    exchange: impl Future<Output = Result<T, RegistryError>>,
) -> Result<T, RegistryError> {
    tokio::time::timeout(limit, exchange)
        .await
        .unwrap_or(Err(RegistryError::Timeout(limit)))
}

pub(in crate::backend) fn parse<T: DeserializeOwned>(
    json: &[u8],
    place: &str,
) -> Result<T, RegistryError> {
    serde_json::from_slice(json)
        .map_err(|error| RegistryError::Protocol(format!("{place}: {error}").into()))
}

/// The address is ours and known; an error is easier to read without it.
fn unreachable(error: reqwest::Error) -> RegistryError {
    RegistryError::Unreachable(error.without_url().into())
}
