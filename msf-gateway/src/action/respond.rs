//! [`DirectResponse`].

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use msf_core::problem::{Code, Problem};

/// An answer that a route gives itself, the same for everybody.
///
/// Headers come from [`Route::response_headers`](crate::Route::response_headers).
///
/// ```
/// use http::StatusCode;
/// use msf_core::problem::Code;
/// use msf_gateway::DirectResponse;
///
/// let version = DirectResponse::json(StatusCode::OK, r#"{"version":2}"#);
/// let gone = DirectResponse::problem(Code::Gone);
/// assert_ne!(version, gone);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until a route has it"]
pub struct DirectResponse {
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Body {
        status: StatusCode,
        content_type: Option<HeaderValue>,
        body: Bytes,
    },
    Problem(Code, Option<String>),
}

impl DirectResponse {
    /// A status, and nothing else.
    pub const fn status(status: StatusCode) -> Self {
        Self::with(status, None, Bytes::new())
    }

    /// A text in UTF-8.
    pub fn text(status: StatusCode, text: impl Into<String>) -> Self {
        let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
        Self::with(status, Some(content_type), text.into().into())
    }

    /// A text in JSON, which is not looked at.
    pub fn json(status: StatusCode, json: impl Into<String>) -> Self {
        let content_type = HeaderValue::from_static("application/json");
        Self::with(status, Some(content_type), json.into().into())
    }

    /// Bytes of any type.
    pub fn bytes(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self::with(status, Some(content_type), body.into())
    }

    /// A problem of the one list.
    pub const fn problem(code: Code) -> Self {
        Self {
            kind: Kind::Problem(code, None),
        }
    }

    /// Says more in a problem; of no effect on others.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        if let Kind::Problem(_, told) = &mut self.kind {
            *told = Some(detail.into());
        }
        self
    }

    const fn with(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Self {
        Self {
            kind: Kind::Body {
                status,
                content_type,
                body,
            },
        }
    }

    /// Whether the status is one that a server may end a request with, and a body may follow where one is.
    pub(crate) fn is_valid(&self) -> bool {
        match &self.kind {
            Kind::Body { status, body, .. } => {
                let has_no_body = matches!(
                    *status,
                    StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
                );
                !status.is_informational() && (body.is_empty() || !has_no_body)
            }
            Kind::Problem(..) => true,
        }
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        match &self.kind {
            Kind::Problem(code, detail) => {
                let problem = Problem::new(*code);
                match detail {
                    Some(detail) => problem.with_detail(detail.clone()),
                    None => problem,
                }
                .into_response()
            }
            Kind::Body {
                status,
                content_type,
                body,
            } => {
                let mut response = Response::new(body.clone());
                *response.status_mut() = *status;
                if let Some(content_type) = content_type {
                    let headers = response.headers_mut();
                    headers.insert(header::CONTENT_TYPE, content_type.clone());
                }
                response
            }
        }
    }
}
