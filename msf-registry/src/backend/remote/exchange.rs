//! One request and its answer, within limits.

use std::time::Duration;

#[cfg(feature = "consul")]
use http::HeaderMap;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::RegistryError;

/// An answer that was read to its end.
#[derive(Debug)]
pub(in crate::backend) struct Answer {
    pub(in crate::backend) status: StatusCode,
    #[cfg(feature = "consul")]
    pub(in crate::backend) headers: HeaderMap,
    pub(in crate::backend) body: Vec<u8>,
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
        #[cfg(feature = "consul")]
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
            #[cfg(feature = "consul")]
            headers,
            body,
        })
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
pub(super) fn unreachable(error: reqwest::Error) -> RegistryError {
    RegistryError::Unreachable(error.without_url().into())
}
