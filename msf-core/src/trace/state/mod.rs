//! The `tracestate` header (W3C Trace Context §3.3).

mod list;
mod trace_state;

pub use self::trace_state::{InvalidTraceState, TraceState};

#[cfg(test)]
mod tests;
