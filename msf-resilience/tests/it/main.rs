//! Integration tests of msf-resilience, in one binary so that they link once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod allocations;
mod budget_interleavings;
mod bulkhead;
mod cancellation;
mod contract;
mod interleavings;
mod limit_interleavings;
mod limit_keys;
mod permits;
mod pipeline;
mod retry;
mod shared_limit;
mod stacks;
mod tail;
