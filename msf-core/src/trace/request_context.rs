//! [`RequestContext`], all that one request carries from hop to hop.

use super::{Baggage, RequestId, SpanId, TraceContext, TraceId, TraceState};

/// Who a request is and what travels with it: its place in a trace, trace state, baggage, request id.
///
/// [`TraceLayer`](super::TraceLayer) leaves one in the request's extensions and makes it
/// [`current`](super::current) while the request is served. A clone copies less than 200 bytes and
/// at most two reference counts.
///
/// ```
/// use msf_core::trace::{Baggage, RequestContext};
///
/// let served = RequestContext::root();
/// assert_eq!(served.parent_span_id(), None);
///
/// // A client that records its own span sends that span's id, not ours.
/// let sent = served.child().with_baggage(Baggage::parse("tenant=acme"));
/// assert_eq!(sent.trace_id(), served.trace_id());
/// assert_eq!(sent.parent_span_id(), Some(served.span_id()));
/// assert_eq!(sent.request_id(), served.request_id());
/// ```
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub(super) trace: TraceContext,
    pub(super) parent_span_id: Option<SpanId>,
    pub(super) trace_state: TraceState,
    pub(super) baggage: Baggage,
    pub(super) request_id: RequestId,
}

impl RequestContext {
    /// The context of a request that nobody sent a context with: a new trace and a new request id.
    #[must_use]
    pub fn root() -> Self {
        Self {
            trace: TraceContext::root(),
            parent_span_id: None,
            trace_state: TraceState::default(),
            baggage: Baggage::default(),
            request_id: RequestId::random(),
        }
    }

    /// The context of an operation inside this one, with a new span id.
    #[must_use]
    pub fn child(&self) -> Self {
        self.child_with(SpanId::random())
    }

    /// The context of an operation inside this one, with the span id of the caller's choice.
    #[must_use]
    pub fn child_with(&self, span_id: SpanId) -> Self {
        Self {
            trace: self.trace.with_span_id(span_id),
            parent_span_id: Some(self.span_id()),
            ..self.clone()
        }
    }

    /// Replaces the place in the trace, for instance to change its flags.
    #[must_use]
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        self.trace = trace;
        self
    }

    /// Replaces the trace state.
    #[must_use]
    pub fn with_trace_state(mut self, trace_state: TraceState) -> Self {
        self.trace_state = trace_state;
        self
    }

    /// Replaces the baggage.
    #[must_use]
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        self.baggage = baggage;
        self
    }

    /// Replaces the request id.
    #[must_use]
    pub fn with_request_id(mut self, request_id: RequestId) -> Self {
        self.request_id = request_id;
        self
    }

    /// The place in the trace.
    #[must_use]
    pub fn trace(&self) -> TraceContext {
        self.trace
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace.trace_id()
    }

    /// This operation.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.trace.span_id()
    }

    /// The operation that asked for this one; `None` where the trace starts.
    #[must_use]
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.parent_span_id
    }

    /// What other tracing systems want carried along.
    #[must_use]
    pub fn trace_state(&self) -> &TraceState {
        &self.trace_state
    }

    /// What the application sends along.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    /// The name of the request, the same at every hop.
    #[must_use]
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_stays_small() {
        assert!(
            size_of::<RequestContext>() <= 144,
            "{}",
            size_of::<RequestContext>()
        );
    }
}
