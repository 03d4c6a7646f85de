//! The primitives behind an [`Entry`](super::entry::Entry); a model checker puts its own here.

pub(super) use std::sync::atomic::{AtomicU64, Ordering};
