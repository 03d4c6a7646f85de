//! The primitives behind the counts; a model checker puts its own here.

pub(super) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

pub(super) use crate::stripe::{Padded, STRIPES, own};
