//! A problem as a client reads it.

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

use super::{Code, FieldError};

/// A problem that somebody else sent.
///
/// Every member may be missing or of the wrong kind (RFC 9457 section 3.1 asks readers to ignore
/// such members), and members of other frameworks are kept.
///
/// ```
/// use msf_core::problem::{Code, Received};
///
/// let body = br#"{"title":"Too many requests","status":429,"code":"rate_limited","limit":5}"#;
/// let problem = Received::parse(http::StatusCode::TOO_MANY_REQUESTS, body).unwrap();
///
/// assert_eq!(problem.code, Some(Code::RateLimited));
/// assert_eq!(problem.member("limit"), Some(&5.into()));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// The status of the response, which holds over the one in the body.
    pub status: StatusCode,
    /// The code, when it is one of the list; otherwise the general code of the status.
    pub code: Option<Code>,
    /// The problem type; `about:blank` when it was left out.
    pub type_uri: String,
    /// The summary.
    pub title: Option<String>,
    /// What happened this time.
    pub detail: Option<String>,
    /// The trace in which it happened.
    pub trace_id: Option<String>,
    /// The wrong places of the request's content.
    pub errors: Vec<FieldError>,
    members: serde_json::Map<String, Value>,
}

impl Received {
    /// Whether a response with these headers carries a problem.
    #[must_use]
    pub fn is_announced_by(headers: &HeaderMap) -> bool {
        headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                let essence = value.split(';').next().unwrap_or_default().trim();
                essence.eq_ignore_ascii_case("application/problem+json")
            })
    }

    /// Reads a body; `None` when it is not a JSON object.
    #[must_use]
    pub fn parse(status: StatusCode, body: &[u8]) -> Option<Self> {
        let Value::Object(mut members) = serde_json::from_slice(body).ok()? else {
            return None;
        };
        let code = take::<String>(&mut members, "code")
            .and_then(|word| word.parse().ok())
            .or_else(|| Code::from_status(status));
        Some(Self {
            status,
            code,
            type_uri: take(&mut members, "type").unwrap_or_else(|| "about:blank".to_owned()),
            title: take(&mut members, "title"),
            detail: take(&mut members, "detail"),
            trace_id: take(&mut members, "trace_id"),
            errors: take(&mut members, "errors").unwrap_or_default(),
            members,
        })
    }

    /// Another member of the body.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }
}

fn take<T: for<'de> Deserialize<'de>>(
    members: &mut serde_json::Map<String, Value>,
    name: &str,
) -> Option<T> {
    serde_json::from_value(members.remove(name)?).ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::problem::Problem;

    #[test]
    fn what_we_send_reads_back() {
        let sent = Problem::new(Code::ValidationFailed)
            .with_detail("two places")
            .with_error("/a", "too long")
            .with_member("limit", 9);
        let response = sent.into_response::<Bytes>();
        assert!(Received::is_announced_by(response.headers()));
        let read = Received::parse(response.status(), response.body()).unwrap();
        assert_eq!(read.code, Some(Code::ValidationFailed));
        assert_eq!(read.detail.as_deref(), Some("two places"));
        assert_eq!(read.errors.len(), 1);
        assert_eq!(read.member("limit"), Some(&9.into()));
    }

    #[test]
    fn wrong_members_are_ignored() {
        let body = br#"{"type":7,"title":[],"code":{},"errors":"none","detail":"kept"}"#;
        let read = Received::parse(StatusCode::BAD_GATEWAY, body).unwrap();
        assert_eq!(read.type_uri, "about:blank");
        assert_eq!(read.code, Some(Code::BadGateway));
        assert_eq!(read.detail.as_deref(), Some("kept"));
    }

    #[test]
    fn the_media_type_may_have_parameters() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            "Application/Problem+JSON; charset=utf-8".parse().unwrap(),
        );
        assert!(Received::is_announced_by(&headers));
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        assert!(!Received::is_announced_by(&headers));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Received::parse(StatusCode::BAD_GATEWAY, &bytes);
        }
    }
}
