//! The primitives behind [`Circuit`](super::circuit::Circuit); a model checker puts its own here.

pub(super) use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

pub(super) use crate::stripe::own as own_stripe;
