//! The primitives behind the gate; a model checker puts its own here.

pub(super) use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

pub(super) use crate::stripe::{Padded, STRIPES, own};
