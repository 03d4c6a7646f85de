//! One request and its answer, within limits.

use std::time::Duration;

use msf_core::problem::Received;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::RegistryError;

/// An answer that was read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    /// Sends a request and reads the whole answer within `limit`.
    pub(super) async fn of(
        request: RequestBuilder,
        limit: Duration,
        bytes_max: usize,
    ) -> Result<Self, RegistryError> {
        let exchange = async {
            let response = request.send().await.map_err(unreachable)?;
            let status = response.status();
            let body = read(response, bytes_max).await?;
            Ok(Self { status, body })
        };
        tokio::time::timeout(limit, exchange)
            .await
            .unwrap_or(Err(RegistryError::Timeout(limit)))
    }

    /// The content of a success.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, RegistryError> {
        if !self.status.is_success() {
            return Err(self.refused());
        }
        serde_json::from_slice(&self.body).map_err(|error| RegistryError::Protocol(error.into()))
    }

    /// The error that the answer stands for.
    pub(super) fn refused(&self) -> RegistryError {
        let problem = Received::parse(self.status, &self.body);
        RegistryError::Refused {
            status: self.status.as_u16(),
            detail: problem.and_then(|problem| problem.detail),
        }
    }
}

async fn read(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, RegistryError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(RegistryError::Protocol(
                format!("the answer is larger than {bytes_max} bytes").into(),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The address is ours and known; an error is easier to read without it.
fn unreachable(error: reqwest::Error) -> RegistryError {
    RegistryError::Unreachable(error.without_url().into())
}
