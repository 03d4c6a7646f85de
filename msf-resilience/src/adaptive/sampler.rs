//! The samples of a window, in stripes.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use super::limits::Window;
use crate::stripe::{Padded, STRIPES, own};

/// What the calls of the current window came to, added up by each thread for itself.
#[derive(Debug, Default)]
pub(super) struct Sampler([Padded<Stripe>; STRIPES]);

#[derive(Debug, Default)]
struct Stripe {
    /// Drops above 32 bits of calls.
    calls: AtomicU64,
    latency_ns: AtomicU64,
    in_flight: AtomicU32,
}

impl Sampler {
    /// Adds one call. `in_flight` costs a look at every stripe, so it is asked for the first calls of a window and then for every
    /// sixteenth.
    #[inline]
    pub(super) fn add(&self, latency_ns: u64, is_drop: bool, in_flight: impl FnOnce() -> u32) {
        let stripe = &self.0[own()].0;
        let calls = 1 | (u64::from(is_drop) << CALLS_BITS);
        let before = stripe.calls.fetch_add(calls, Ordering::Relaxed) & CALLS;
        stripe.latency_ns.fetch_add(latency_ns, Ordering::Relaxed);
        if before < 16 || before.is_multiple_of(16) {
            stripe.in_flight.fetch_max(in_flight(), Ordering::Relaxed);
        }
    }

    /// How many calls there are.
    pub(super) fn calls(&self) -> u64 {
        let stripes = self.0.iter();
        stripes
            .map(|stripe| stripe.0.calls.load(Ordering::Relaxed) & CALLS)
            .sum()
    }

    /// Takes the window out and begins the next. A call that is added meanwhile may be split between the two, which falsifies
    /// a mean by less than its own noise.
    pub(super) fn take(&self) -> Option<Window> {
        let (mut calls, mut drops, mut latency_ns, mut in_flight) = (0, 0, 0_u64, 0);
        for Padded(stripe) in &self.0 {
            let word = stripe.calls.swap(0, Ordering::Relaxed);
            calls += word & CALLS;
            drops += word >> CALLS_BITS;
            let latency = stripe.latency_ns.swap(0, Ordering::Relaxed);
            latency_ns = latency_ns.saturating_add(latency);
            in_flight = in_flight.max(stripe.in_flight.swap(0, Ordering::Relaxed));
        }
        let mean = Duration::from_nanos(latency_ns.checked_div(calls)?);
        let clamp = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let window = Window::new(mean, in_flight);
        Some(window.calls(clamp(calls)).drops(clamp(drops)))
    }
}

const CALLS_BITS: u32 = 32;
const CALLS: u64 = (1 << CALLS_BITS) - 1;
