//! Errors that clients see: `application/problem+json` (RFC 9457).
//!
//! Every error that msf answers with is a [`Problem`]: a [`Code`] of one closed list, what the client
//! may know (`detail`, `errors`), and - in fields of their own that never leave the process - what the
//! operator needs ([`log_detail`](Problem::with_log_detail), [`source`](Problem::with_source)).
//!
//! ```
//! use bytes::Bytes;
//! use msf_core::problem::{Code, Problem};
//!
//! let problem = Problem::new(Code::NotFound)
//!     .with_detail("there is no order 42")
//!     .with_log_detail("row 42 was deleted by job 7");
//!
//! let response: http::Response<Bytes> = problem.into_response();
//! assert_eq!(response.status(), 404);
//! assert_eq!(response.headers()["content-type"], "application/problem+json");
//!
//! let body: serde_json::Value = serde_json::from_slice(response.body())?;
//! assert_eq!(body["code"], "not_found");
//! assert_eq!(body["detail"], "there is no order 42");
//! assert!(!body.to_string().contains("job 7"));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # From any error
//!
//! The errors of msf implement `Into<Problem>`. For an error behind a box, [`Problem::from_error`] looks
//! through its chain of sources for a problem or an error that it knows; what it does not know
//! becomes [`Code::Internal`], whose details go to the log and not to the client.
//!
//! ```
//! use msf_core::{deadline::DeadlineExceeded, problem::{Code, Problem}};
//!
//! assert_eq!(Problem::from(DeadlineExceeded).code(), Code::DeadlineExceeded);
//!
//! let boxed: msf_core::BoxError = "disk on fire".into();
//! assert_eq!(Problem::from_error(boxed).code(), Code::Internal);
//! ```
//!
//! # Bare statuses and panics
//!
//! Routers answer with a bare 404 or 405; [`FillProblemLayer`] gives such answers a body. A handler that
//! panics gives no answer at all; [`CatchPanicLayer`] gives one. Both are part of
//! `ServiceHost`.
//!
//! # Reading one
//!
//! A caller that receives a problem reads it with [`Received`], which tolerates what other
//! frameworks leave out.

mod catch_panic;
mod code;
mod convert;
mod fill;
mod received;
mod response;

use std::{borrow::Cow, error::Error, fmt, time::Duration};

use http::StatusCode;
use serde_json::Value;

pub(crate) use self::catch_panic::{Caught, Panicked};
pub use self::{
    catch_panic::{CatchPanic, CatchPanicFuture, CatchPanicLayer},
    code::{Code, UnknownCode},
    fill::{FillProblem, FillProblemFuture, FillProblemLayer},
    received::Received,
    response::CONTENT_TYPE,
};
use crate::BoxError;

/// An error as a client sees it, with what the operator needs beside it.
///
/// One pointer wide, so that `Result<T, Problem>` stays small.
pub struct Problem(Box<Inner>);

struct Inner {
    code: Code,
    type_uri: Option<Cow<'static, str>>,
    title: Option<Cow<'static, str>>,
    detail: Option<Cow<'static, str>>,
    instance: Option<String>,
    retry_after: Option<Duration>,
    errors: Vec<FieldError>,
    members: serde_json::Map<String, Value>,
    log_detail: Option<Cow<'static, str>>,
    source: Option<BoxError>,
}

/// One wrong place in the request's content.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct FieldError {
    /// Where: a JSON pointer into the body (RFC 6901), such as `/items/0/quantity`.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// At most this many [`FieldError`]s are kept, so that a hostile body cannot make a huge answer.
    pub const ERRORS_MAX: usize = 100;

    /// A problem with the status and title of its code.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self(Box::new(Inner {
            code,
            type_uri: None,
            title: None,
            detail: None,
            instance: None,
            retry_after: None,
            errors: Vec::new(),
            members: serde_json::Map::new(),
            log_detail: None,
            source: None,
        }))
    }

    /// Says to the client what happened this time.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Says to the log, and to nobody else, what happened.
    #[must_use]
    pub fn with_log_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.log_detail = Some(detail.into());
        self
    }

    /// Keeps the error that caused this one, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Replaces the problem type, for an application with types of its own (RFC 9457 section 3.1.1).
    #[must_use]
    pub fn with_type(
        mut self,
        uri: impl Into<Cow<'static, str>>,
        title: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.0.type_uri = Some(uri.into());
        self.0.title = Some(title.into());
        self
    }

    /// Names the occurrence, usually the path of the request.
    #[must_use]
    pub fn with_instance(mut self, instance: impl Into<String>) -> Self {
        self.0.instance = Some(instance.into());
        self
    }

    /// Says when the client may try again: the header `Retry-After` and the member `retry_after`, in
    /// whole seconds rounded up, never 0.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds one wrong place of the request's content; beyond [`Problem::ERRORS_MAX`] it is left out.
    ///
    /// ```
    /// use msf_core::problem::{Code, Problem};
    ///
    /// let problem = Problem::new(Code::ValidationFailed)
    ///     .with_error("/items/0/quantity", "must be at least 1");
    /// assert_eq!(problem.errors()[0].pointer, "/items/0/quantity");
    /// ```
    #[must_use]
    pub fn with_error(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        if self.0.errors.len() < Self::ERRORS_MAX {
            self.0.errors.push(FieldError {
                pointer: pointer.into(),
                detail: detail.into(),
            });
        }
        self
    }

    /// Adds an extension member (RFC 9457 section 3.2). A name that msf uses itself is left out.
    #[must_use]
    pub fn with_member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let name = name.into();
        if !response::RESERVED.contains(&name.as_str()) {
            self.0.members.insert(name, value.into());
        }
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The HTTP status, which is the code's.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.code.status()
    }

    /// The title: the code's, unless [`Problem::with_type`] replaced it.
    #[must_use]
    pub fn title(&self) -> &str {
        self.0
            .title
            .as_deref()
            .unwrap_or_else(|| self.0.code.title())
    }

    /// The problem type: the code's, unless [`Problem::with_type`] replaced it.
    #[must_use]
    pub fn type_uri(&self) -> &str {
        self.0
            .type_uri
            .as_deref()
            .unwrap_or_else(|| self.0.code.type_uri())
    }

    /// What the client is told.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// What the log is told.
    #[must_use]
    pub fn log_detail(&self) -> Option<&str> {
        self.0.log_detail.as_deref()
    }

    /// When the client may try again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The wrong places of the request's content.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("code", &self.0.code)
            .field("detail", &self.0.detail)
            .field("log_detail", &self.0.log_detail)
            .field("errors", &self.0.errors)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

/// Prints the code and what the client is told, which is safe to show anywhere.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail() {
            Some(detail) => write!(f, "{}: {detail}", self.0.code),
            None => write!(f, "{}: {}", self.0.code, self.title()),
        }
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

const _: () = assert!(
    size_of::<Result<(), Problem>>() <= 16,
    "Err must stay small"
);
