//! Reading an answer.

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, response::Parts};
use http_body::Body as _;
use http_body_util::BodyExt;
use msf_core::{deadline::Deadline, name::ServiceName, problem::Received};
use serde::de::DeserializeOwned;

use super::decode;
use crate::{Error, ResponseBody};

/// The answer to a [`RequestBuilder`](crate::RequestBuilder): its head, and a body to be read.
///
/// The deadline of the call holds for the body as well, and at most
/// [`body_limit`](crate::ClientBuilder::body_limit) bytes are read. Dropped unread, it closes the
/// connection.
pub struct Response {
    parts: Parts,
    body: ResponseBody,
    service: ServiceName,
    deadline: Deadline,
    /// The client's own limit, if that is the one that holds.
    timeout: Option<Duration>,
    limit: usize,
}

impl Response {
    pub(super) fn new(
        response: http::Response<ResponseBody>,
        service: ServiceName,
        deadline: Deadline,
        timeout: Option<Duration>,
        limit: usize,
    ) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            parts,
            body,
            service,
            deadline,
            timeout,
            limit,
        }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.parts.status
    }

    /// The headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Reads at most this many bytes of the body.
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Makes a status of 400 or above an error, with the problem that the callee sent.
    ///
    /// # Errors
    ///
    /// [`Error::Problem`].
    ///
    /// # Panics
    ///
    /// Never.
    pub async fn ok(self) -> Result<Self, Error> {
        let status = self.status();
        if !status.is_client_error() && !status.is_server_error() {
            return Ok(self);
        }
        let service = self.service.clone();
        let is_problem = Received::is_announced_by(self.headers());
        // The status is what matters; a body that cannot be read takes nothing from it.
        let body = if is_problem {
            self.limit(PROBLEM_LEN_MAX)
                .bytes()
                .await
                .unwrap_or_default()
        } else {
            Bytes::new()
        };
        let received = Received::parse(status, &body)
            .or_else(|| Received::parse(status, b"{}"))
            .expect("an empty object is an object");
        Err(Error::Problem {
            service,
            status,
            received: Box::new(received),
        })
    }

    /// Reads the body as JSON. An error status is an error, as in [`ok`](Self::ok).
    ///
    /// # Errors
    ///
    /// [`Error::Problem`], [`Error::Decode`], and those of [`bytes`](Self::bytes).
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let response = self.ok().await?;
        let service = response.service.clone();
        let body = response.bytes().await?;
        serde_json::from_slice(&body).map_err(|error| {
            let source = decode::discreet(error);
            Error::Decode { service, source }
        })
    }

    /// Reads the whole body as text in UTF-8. An error status is an error, as in [`ok`](Self::ok).
    ///
    /// # Errors
    ///
    /// [`Error::Problem`], [`Error::Text`], and those of [`bytes`](Self::bytes).
    pub async fn text(self) -> Result<String, Error> {
        let response = self.ok().await?;
        let service = response.service.clone();
        let body = response.bytes().await?;
        String::from_utf8(body.into()).map_err(|_| Error::Text { service })
    }

    /// The next piece of the body, as it arrives; nothing after the last. Trailers are left out.
    ///
    /// The deadline of the call holds for all pieces together, and the limit does not: what was read is
    /// the reader's to keep or not. For an answer that has no end, take [`into_body`](Self::into_body).
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`], [`Error::DeadlineExceeded`] or [`Error::Transport`]; the body is over then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no piece.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let next = async {
            loop {
                match self.body.frame().await {
                    None => return Ok(None),
                    Some(frame) => {
                        if let Ok(data) = frame?.into_data() {
                            return Ok(Some(data));
                        }
                    }
                }
            }
        };
        match self.deadline.run(next).await {
            Ok(next) => next,
            Err(_exceeded) => Err(late(self.service.clone(), self.timeout)),
        }
    }

    /// Reads the whole body, whatever the status is.
    ///
    /// # Errors
    ///
    /// [`Error::BodyTooLarge`], [`Error::Timeout`], [`Error::DeadlineExceeded`] or
    /// [`Error::Transport`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let Self {
            body,
            service,
            deadline,
            timeout,
            limit,
            ..
        } = self;
        match deadline.run(read(body, &service, limit)).await {
            Ok(read) => read,
            Err(_exceeded) => Err(late(service, timeout)),
        }
    }

    /// The body, for a reader of its own; neither the deadline nor the limit holds for it any more.
    #[must_use]
    pub fn into_body(self) -> ResponseBody {
        self.body
    }
}

/// Without the headers, some of which are secrets.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("service", &self.service)
            .field("status", &self.parts.status)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// The time was over before the body had ended.
const fn late(service: ServiceName, timeout: Option<Duration>) -> Error {
    let is_unsent = false;
    match timeout {
        Some(timeout) => Error::Timeout {
            service,
            timeout,
            is_unsent,
        },
        None => Error::DeadlineExceeded { service, is_unsent },
    }
}

async fn read(mut body: ResponseBody, service: &ServiceName, limit: usize) -> Result<Bytes, Error> {
    let too_large = || Error::BodyTooLarge {
        service: service.clone(),
        limit,
    };
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Trailers are not part of the content.
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if first.len().max(whole.len()) + data.len() > limit {
            return Err(too_large());
        }
        if first.is_empty() && whole.is_empty() {
            // Most answers are one piece, which needs no copy.
            first = data;
        } else {
            if whole.is_empty() {
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}

/// More than any honest problem has.
const PROBLEM_LEN_MAX: usize = 64 << 10;
