//! One request being served: what [`Trace`](super::Trace) keeps from `call` to the body's end.

use http::{Request, Response};
use http_body::Body;
use tracing::Span;

use super::{
    super::{RequestContext, current::Entered, propagation::X_REQUEST_ID},
    access::Access,
    body::ResponseBody,
    config::TraceLayer,
    outcome::Outcome,
    span,
    template::Template,
};

/// Owns the span and owes the access event. The event is written when the exchange is dropped and
/// nowhere else, so there is exactly one however the request ends.
#[derive(Debug)]
pub(in crate::trace) struct Exchange {
    /// Taken only while the context is current.
    context: Option<RequestContext>,
    span: Span,
    access: Option<Access>,
    config: TraceLayer,
    route_known: bool,
    server_error: bool,
    method: &'static str,
    /// How the exchange ends if it is dropped now.
    outcome: Outcome,
}

impl Exchange {
    pub(super) fn start<B>(
        config: TraceLayer,
        request: &Request<B>,
        context: RequestContext,
    ) -> Self {
        let route = (config.route)(request.extensions());
        Self {
            span: span::open(&config, request, &context, route),
            access: Access::start(config.access_log, request, route),
            context: Some(context),
            config,
            route_known: route.is_some(),
            server_error: false,
            method: span::method(request.method()),
            outcome: Outcome::Cancelled,
        }
    }

    /// Runs `f` inside the span and with the context current.
    pub(super) fn within<T>(&mut self, f: impl FnOnce() -> T) -> T {
        let _context = Entered::new(&mut self.context);
        let _span = self.span.enter();
        f()
    }

    /// The inner service answered; the exchange goes on in the body.
    pub(super) fn answered<B: Body>(
        mut self,
        mut response: Response<B>,
    ) -> Response<ResponseBody<B>> {
        let status = response.status();
        let code = response.extensions().get().copied();
        span::record_status(&self.span, status, code);
        self.server_error = status.is_server_error();
        if let Some(access) = &mut self.access {
            access.status = Some(status);
            access.code = code;
        }
        if !self.route_known
            && let Some(route) = (self.config.route)(response.extensions())
        {
            span::record_route(&self.span, self.method, route);
            if let Some(access) = &mut self.access {
                access.route = Some(Template::new(route));
            }
        }
        if self.config.send_request_id
            && let Some(context) = &self.context
        {
            response
                .headers_mut()
                .insert(X_REQUEST_ID, context.request_id().to_header_value());
        }
        // RFC 9110 §6.4.1: these have no content, so a server drops the body without reading it.
        if self.method == "HEAD" || matches!(status.as_u16(), 100..200 | 204 | 304) {
            self.outcome = Outcome::Completed;
        }
        response.map(|body| ResponseBody::traced(body, self))
    }

    /// Data went out; if nothing but trailers can follow, a drop is no cancellation any more.
    pub(super) fn sent(&mut self, bytes: usize, all: bool) {
        if let Some(access) = &mut self.access {
            access.response_bytes += bytes as u64;
        }
        if all {
            self.outcome = Outcome::Completed;
        }
    }

    /// Ends the exchange.
    pub(super) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.outcome == Outcome::Cancelled && std::thread::panicking() {
            self.outcome = Outcome::Panicked;
        }
        // After a 5xx the status says more than how its body ended.
        if let Some(error) = self.outcome.error_type()
            && !self.server_error
        {
            span::record_error(&self.span, error);
        }
        if let Some(access) = &self.access {
            access.write(self.method, self.outcome, &self.span, self.context.as_ref());
        }
    }
}
