//! The primitives behind [`Circuit`](super::circuit::Circuit); a model checker puts its own here.

pub(super) use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};
