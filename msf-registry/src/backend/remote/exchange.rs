//! One request and its answer, within limits.

use std::time::Duration;

#[cfg(feature = "consul")]
use http::HeaderMap;
use reqwest::{ClientBuilder, RequestBuilder, Response, StatusCode, redirect};
use serde::{Serialize, de::DeserializeOwned};

use super::Limits;
use crate::error::RegistryError;

/// A client to which a backend may still add what it needs. What a registry says decides where calls go, so
/// redirects are not followed and no proxy is used.
pub(in crate::backend) fn client(limits: Limits) -> ClientBuilder {
    ClientBuilder::new()
        .connect_timeout(limits.connect_timeout)
        .redirect(redirect::Policy::none())
        .no_proxy()
}

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
    /// Sends a request and reads the whole answer. The caller limits the time, with [`within`].
    #[cfg(any(feature = "consul", feature = "http"))]
    pub(in crate::backend) async fn to(
        request: RequestBuilder,
        bytes_max: usize,
    ) -> Result<Self, RegistryError> {
        Self::read(send(request).await?, bytes_max).await
    }

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
                    format!("the answer is larger than the {bytes_max} bytes of answer_max").into(),
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

pub(in crate::backend) fn to_json(value: &impl Serialize) -> Result<Vec<u8>, RegistryError> {
    serde_json::to_vec(value).map_err(|error| RegistryError::Protocol(error.into()))
}

pub(in crate::backend) fn parse<T: DeserializeOwned>(
    json: &[u8],
    place: &str,
) -> Result<T, RegistryError> {
    serde_json::from_slice(json)
        .map_err(|error| RegistryError::Protocol(format!("{place}: {error}").into()))
}

/// What is kept of a server's words: they go into logs.
pub(in crate::backend) fn excerpt(text: &str) -> String {
    let visible = text.chars().filter(|c| !c.is_control());
    visible.take(DETAIL_CHARS_MAX).collect()
}

/// The address is ours and known; an error is easier to read without it.
pub(super) fn unreachable(error: reqwest::Error) -> RegistryError {
    RegistryError::Unreachable(error.without_url().into())
}

/// A sentence about an instance, with the longest id that it can have.
const DETAIL_CHARS_MAX: usize = 256;
