//! Trace context.

mod baggage;
mod context;
mod hex;
mod id;
mod ows;
mod request_id;
mod state;

pub use self::baggage::{Baggage, BaggageMember, InvalidBaggage};
pub use self::context::{InvalidTraceParent, TraceContext, TraceFlags};
pub use self::id::{InvalidId, SpanId, TraceId};
pub use self::request_id::{InvalidRequestId, RequestId};
pub use self::state::{InvalidTraceState, TraceState};
