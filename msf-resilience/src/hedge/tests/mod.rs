//! Hedged calls: when the second one starts, and what is measured for that.

mod latencies;
mod rules;
