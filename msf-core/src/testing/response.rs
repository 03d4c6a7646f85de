//! A response that was read to its end.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use crate::problem::Received;

/// A response with its whole body.
#[derive(Clone)]
pub struct TestResponse {
    head: http::response::Parts,
    body: Bytes,
}

impl TestResponse {
    /// Reads a response to its end.
    ///
    /// # Panics
    ///
    /// When the body fails.
    pub async fn read<B>(response: Response<B>) -> Self
    where
        B: http_body::Body,
        B::Error: fmt::Debug,
    {
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .expect("the response body arrives")
            .to_bytes();
        Self { head, body }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// One header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The body.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// When it is not UTF-8.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the response body is UTF-8")
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not JSON of this shape; the message shows the response.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error} in {self:?}"),
        }
    }

    /// The body as a problem, if the response says that it is one.
    #[must_use]
    pub fn problem(&self) -> Option<Received> {
        if !Received::is_announced_by(self.headers()) {
            return None;
        }
        Received::parse(self.status(), &self.body)
    }
}

impl fmt::Debug for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestResponse")
            .field("status", &self.head.status)
            .field("headers", &self.head.headers)
            .field("body", &String::from_utf8_lossy(&self.body))
            .finish()
    }
}

/// Asserts that a [`TestResponse`](crate::testing::TestResponse) is a problem with a code, and gives the
/// problem for further assertions.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use msf_core::{assert_problem, problem::{Code, Problem}, testing::TestResponse};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let response = Problem::new(Code::Conflict).with_detail("sold out");
/// let response = TestResponse::read(response.into_response::<Full<Bytes>>()).await;
///
/// let problem = assert_problem!(response, Code::Conflict);
/// assert_eq!(problem.detail.as_deref(), Some("sold out"));
/// # }
/// ```
#[macro_export]
macro_rules! assert_problem {
    ($response:expr, $code:expr $(,)?) => {{
        let response = &$response;
        let code: $crate::problem::Code = $code;
        match response.problem() {
            ::core::option::Option::Some(problem)
                if problem.code == ::core::option::Option::Some(code)
                    && response.status() == code.status() =>
            {
                problem
            }
            _ => ::core::panic!(
                "expected the problem {code} ({}), got {response:?}",
                code.status()
            ),
        }
    }};
}
