//! Trace context.

mod baggage;
mod context;
mod current;
mod hex;
mod id;
mod layer;
mod ows;
mod propagation;
mod request_context;
mod request_id;
mod state;

pub use self::baggage::{Baggage, BaggageMember, InvalidBaggage};
pub use self::context::{InvalidTraceParent, TraceContext, TraceFlags};
pub use self::current::{current, scope, sync_scope};
pub use self::id::{InvalidId, SpanId, TraceId};
pub use self::layer::{AccessLog, ResponseBody, Trace, TraceLayer, Trust, future};
pub use self::propagation::{
    BAGGAGE, TRACEPARENT, TRACESTATE, X_REQUEST_ID, extract, inject, inject_current,
};
pub use self::request_context::RequestContext;
pub use self::request_id::{InvalidRequestId, RequestId};
pub use self::state::{InvalidTraceState, TraceState};
