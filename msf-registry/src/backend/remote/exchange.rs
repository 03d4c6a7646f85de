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
    line_max: usize,
}

impl Answer {
    /// Sends a request and reads the whole answer. The caller limits the time, with [`within`].
    pub(in crate::backend) async fn of(
        request: RequestBuilder,
        bytes_max: usize,
    ) -> Result<Self, RegistryError> {
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > bytes_max {
                return Err(too_large("the answer", bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Self {
            status,
            headers,
            body,
        })
    }

    /// The content of a success; `place` names the question.
    pub(in crate::backend) fn json<T: DeserializeOwned>(
        &self,
        place: &str,
    ) -> Result<T, RegistryError> {
        parse(&self.body, place)
    }
}

impl Lines {
    /// Sends a request and reads the answer's head; an answer that is no success is read to its end.
    pub(in crate::backend) async fn of(
        request: RequestBuilder,
        line_max: usize,
    ) -> Result<Result<Self, Answer>, RegistryError> {
        let mut response = request.send().await.map_err(unreachable)?;
        if response.status().is_success() {
            let buffer = Vec::new();
            return Ok(Ok(Self {
                response,
                buffer,
                line_max,
            }));
        }
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > line_max {
                return Err(too_large("the answer", line_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Err(Answer {
            status,
            headers,
            body,
        }))
    }

    /// The next line that is not empty; `None` at the end of the answer.
    ///
    /// Dropping it loses nothing: what has come is kept for the next call.
    pub(in crate::backend) async fn next(&mut self) -> Result<Option<Vec<u8>>, RegistryError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.pop();
                if line.is_empty() {
                    continue;
                }
                return Ok(Some(line));
            }
            match self.response.chunk().await.map_err(unreachable)? {
                Some(chunk) if self.buffer.len() + chunk.len() > self.line_max => {
                    return Err(too_large("a line of the answer", self.line_max));
                }
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Ok(Some(std::mem::take(&mut self.buffer))),
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

fn too_large(what: &str, bytes_max: usize) -> RegistryError {
    RegistryError::Protocol(format!("{what} is larger than {bytes_max} bytes").into())
}

/// The address is ours and known; an error is easier to read without it.
fn unreachable(error: reqwest::Error) -> RegistryError {
    RegistryError::Unreachable(error.without_url().into())
}
