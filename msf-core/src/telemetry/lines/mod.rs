//! Log lines: what is kept of a span, how an event becomes a line, and who writes it.

mod encode;
mod fields;
mod json;
mod key;
mod layer;
mod pretty;
mod queue;
mod record;
mod stamp;

pub(super) use layer::{LineLayer, LineStyle};
pub(super) use queue::{LineQueue, Progress};
