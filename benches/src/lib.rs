//! Measuring, shared by the benchmarks.
//!
//! Machines drift: a laptop throttles, a virtual machine has neighbours. So what is compared is measured in
//! turns, round by round, and the median of the rounds is what counts.

pub mod gateway;
pub mod rounds;
