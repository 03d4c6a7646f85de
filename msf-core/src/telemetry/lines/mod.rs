//! Log lines: what is kept of a span, how an event becomes a line, and who writes it.

mod encode;
mod fields;
mod json;
mod layer;
mod pretty;
mod queue;
mod record;
mod stamp;

pub(super) use layer::{LineLayer, LineStyle};
pub(super) use queue::{LineQueue, Progress};

impl LineStyle {
    /// What makes the line that reports dropped lines.
    pub(super) fn dropped_notice(self) -> fn(u64) -> Vec<u8> {
        match self {
            Self::Json => json::dropped_notice,
            Self::Pretty { .. } => pretty::dropped_notice,
        }
    }
}

const DROPPED_MESSAGE: &str = "log lines dropped: the output is slower than the log";
