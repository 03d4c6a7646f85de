//! Permits that many threads take and give back without writing to a word they share.
//!
//! What bulkheads and adaptive limits have in common: so many calls at once, and a line of those that wait.
//!
//! The permits lie in [`Cells`], one per stripe of threads. A thread takes from its own cell, and from the others' when
//! its own is empty; it gives back to its own, so permits move to where they are used. As a permit is always in one
//! cell or in one hand, there are never more of them than the limit.
//!
//! While somebody waits, or while the limit was lowered below what is in flight, the gate is *attended*: a flag that
//! nobody writes in quiet times sends arrivals and releases through the lock of the [`Gate`]'s line.

mod cells;
mod gate;
mod limit;
mod sync;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    gate::{Gate, Place},
    limit::{check_limit, ordered_limit},
};
