//! From a problem to a response, and to the log.

use std::{error::Error, fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde::{Serialize, ser::SerializeMap};

use super::Problem;
use crate::trace;

/// The media type of a problem (RFC 9457 section 6.1).
pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Members that msf writes itself.
pub(super) const RESERVED: [&str; 9] = [
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "trace_id",
    "retry_after",
    "errors",
];

impl Problem {
    /// The response that carries this problem.
    ///
    /// The trace id of the current request is put into the body, and everything that the client is
    /// not told is logged: at `ERROR` for 5xx, at `DEBUG` for the others and for refusals that protect
    /// the service (an open breaker, a full bulkhead, shed load, a spent retry budget). Those come by the
    /// thousand when they come, and metrics count them. The [`Code`](super::Code) is left in
    /// the response's extensions, where the metrics and trace layers find it.
    ///
    /// # Panics
    ///
    /// Never: what a problem holds always serializes.
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        self.log();
        let body = serde_json::to_vec(&Body(&self))
            .expect("a map of strings, numbers and JSON values serializes");
        let mut response = Response::new(Bytes::from(body).into());
        *response.status_mut() = self.status();
        // For the layers around: the same word goes into metrics and spans.
        response.extensions_mut().insert(self.code());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }

    fn log(&self) {
        let code = self.code().as_str();
        let detail = self.log_detail().or_else(|| self.detail());
        let cause = self
            .0
            .source
            .as_ref()
            .map(|_| tracing::field::display(Chain(self)));
        if self.status().is_server_error() && !self.code().is_refusal() {
            tracing::error!(target: TARGET, code, detail, error = cause, "answered with a problem");
        } else {
            tracing::debug!(target: TARGET, code, detail, error = cause, "answered with a problem");
        }
    }
}

impl<B: From<Bytes>> From<Problem> for Response<B> {
    fn from(problem: Problem) -> Self {
        problem.into_response()
    }
}

/// `Retry-After` has whole seconds; rounding down would invite the client back too early.
fn whole_seconds(wait: Duration) -> u64 {
    let seconds = wait
        .as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0));
    seconds.max(1)
}

struct Body<'a>(&'a Problem);

impl Serialize for Body<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(problem) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", problem.type_uri())?;
        map.serialize_entry("title", problem.title())?;
        map.serialize_entry("status", &problem.status().as_u16())?;
        if let Some(detail) = problem.detail() {
            map.serialize_entry("detail", detail)?;
        }
        if let Some(instance) = &problem.0.instance {
            map.serialize_entry("instance", instance)?;
        }
        map.serialize_entry("code", &problem.code())?;
        if let Some(context) = trace::current() {
            map.serialize_entry("trace_id", &format_args!("{}", context.trace().trace_id()))?;
        }
        if let Some(wait) = problem.0.retry_after {
            map.serialize_entry("retry_after", &whole_seconds(wait))?;
        }
        if !problem.errors().is_empty() {
            map.serialize_entry("errors", problem.errors())?;
        }
        for (name, value) in &problem.0.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The sources of an error on one line.
struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut source = self.0.source();
        let mut separator = "";
        for _ in 0..CHAIN_LEN_MAX {
            let Some(error) = source else { break };
            write!(f, "{separator}{error}")?;
            separator = ": ";
            source = error.source();
        }
        Ok(())
    }
}

const CHAIN_LEN_MAX: usize = 16;
const TARGET: &str = "msf_core::problem";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tracing::Level;

    use super::*;
    use crate::{problem::Code, testing::LogCapture};

    fn body(problem: Problem) -> Value {
        serde_json::from_slice(problem.into_response::<Bytes>().body()).unwrap()
    }

    #[test]
    fn a_bare_problem_has_the_members_of_its_code() {
        assert_eq!(
            body(Problem::new(Code::RateLimited)),
            json!({
                "type": Code::RateLimited.type_uri(),
                "title": "Too many requests",
                "status": 429,
                "code": "rate_limited",
            })
        );
    }

    #[test]
    fn every_member_can_be_set() {
        let problem = Problem::new(Code::PaymentRequired)
            .with_type("https://shop.example/declined", "Card declined")
            .with_detail("the bank said no")
            .with_instance("/api/payments/7")
            .with_retry_after(Duration::from_millis(1_001))
            .with_error("/card", "declined")
            .with_member("attempts_left", 2);
        assert_eq!(
            body(problem),
            json!({
                "type": "https://shop.example/declined",
                "title": "Card declined",
                "status": 402,
                "detail": "the bank said no",
                "instance": "/api/payments/7",
                "code": "payment_required",
                "retry_after": 2,
                "errors": [{ "pointer": "/card", "detail": "declined" }],
                "attempts_left": 2,
            })
        );
    }

    #[test]
    fn an_extension_cannot_replace_a_member() {
        let problem = Problem::new(Code::NotFound).with_member("status", 200);
        assert_eq!(body(problem)["status"], 404);
    }

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        for (wait_ms, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2")] {
            let response = Problem::new(Code::RateLimited)
                .with_retry_after(Duration::from_millis(wait_ms))
                .into_response::<Bytes>();
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn a_refusal_by_design_is_no_error_in_the_log() {
        let level = |code: Code| {
            let logs = LogCapture::start();
            drop(Problem::new(code).into_response::<Bytes>());
            logs.find("answered with a problem").unwrap().level
        };
        for code in [
            Code::BreakerOpen,
            Code::BulkheadFull,
            Code::Overloaded,
            Code::RetryBudgetExhausted,
            Code::RateLimited,
            Code::NotFound,
        ] {
            assert_eq!(level(code), Level::DEBUG, "{code}");
        }
        for code in [
            Code::Internal,
            Code::Unavailable,
            Code::NoHealthyEndpoint,
            Code::BadGateway,
        ] {
            assert_eq!(level(code), Level::ERROR, "{code}");
        }
    }

    #[test]
    fn the_number_of_errors_is_bounded() {
        let problem = (0..1_000).fold(Problem::new(Code::ValidationFailed), |problem, n| {
            problem.with_error(format!("/{n}"), "wrong")
        });
        assert_eq!(problem.errors().len(), Problem::ERRORS_MAX);
    }
}
