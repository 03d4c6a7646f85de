//! Contexts on the wire.

mod headers;

pub use self::headers::{
    BAGGAGE, TRACEPARENT, TRACESTATE, X_REQUEST_ID, extract, inject, inject_current,
};

#[cfg(test)]
mod tests;
