//! The access log: one event per request, on the target `msf::access`.

use http::{Request, StatusCode, uri::PathAndQuery};
use tokio::time::Instant;
use tracing::{Level, Span};

use super::{super::RequestContext, outcome::Outcome, span::clipped_path, template::Template};
use crate::problem::Code;

/// Which requests get a line in the access log.
///
/// ```
/// use msf_core::trace::AccessLog;
///
/// assert_eq!(AccessLog::default(), AccessLog::Every);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessLog {
    /// Every request.
    #[default]
    Every,
    /// Requests answered with 5xx, with an error, or by a panic.
    Failures,
    /// None.
    Off,
}

/// What the line will say. It exists only if somebody listens, and so do its allocations.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) route: Option<Template>,
    pub(super) status: Option<StatusCode>,
    pub(super) code: Option<Code>,
    pub(super) response_bytes: u64,
    policy: AccessLog,
    path: Option<PathAndQuery>,
    started: Instant,
}

impl Access {
    pub(super) fn start<B>(
        policy: AccessLog,
        request: &Request<B>,
        route: Option<&str>,
    ) -> Option<Self> {
        // WARN is asked for, since whoever wants INFO gets it too.
        if policy == AccessLog::Off || !tracing::event_enabled!(target: "msf::access", Level::WARN)
        {
            return None;
        }
        Some(Self {
            route: route.map(Template::new),
            status: None,
            code: None,
            response_bytes: 0,
            policy,
            path: request.uri().path_and_query().cloned(),
            started: Instant::now(),
        })
    }

    /// Writes the line inside `span`, or with the ids of `context` if a filter hides the span, which
    /// tells them otherwise.
    pub(super) fn write(
        &self,
        method: &'static str,
        outcome: Outcome,
        span: &Span,
        context: Option<&RequestContext>,
    ) {
        let server_error = self.status.filter(StatusCode::is_server_error);
        let error = server_error
            .as_ref()
            .map(|status| match self.code {
                Some(code) => code.as_str(),
                None => status.as_str(),
            })
            .or_else(|| outcome.error_type());
        if error.is_none() && self.policy == AccessLog::Failures {
            return;
        }
        // Named and not entered, which subscribers would have to note twice for one event.
        let parent = span.id().or_else(|| Span::current().id());
        let context = context.filter(|_| span.is_disabled());
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    target: "msf::access",
                    parent: parent,
                    $level,
                    http.request.method = method,
                    url.path = clipped_path(self.path.as_ref()),
                    http.route = self.route.as_ref().map(Template::as_str),
                    http.response.status_code = self.status.map(|status| status.as_u16()),
                    outcome = outcome.as_str(),
                    error.type = error,
                    duration_ms = self.started.elapsed().as_micros() as f64 / 1000.0,
                    response_bytes = self.response_bytes,
                    trace_id = context.map(|context| display(context.trace_id())),
                    request_id = context.map(|context| display(context.request_id())),
                    "request served"
                )
            };
        }
        if error.is_some() {
            line!(Level::WARN);
        } else {
            line!(Level::INFO);
        }
    }
}
