//! Integration tests of msf-resilience, in one binary so that they link once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod allocations;
mod bulkhead;
mod cancellation;
mod contract;
mod interleavings;
mod limit_interleavings;
mod permits;
mod shared_limit;
mod stacks;
