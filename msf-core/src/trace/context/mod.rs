//! The `traceparent` header (W3C Trace Context §3.2).

mod flags;
mod trace_context;

pub use self::{
    flags::TraceFlags,
    trace_context::{InvalidTraceParent, TraceContext},
};

#[cfg(test)]
mod tests;
