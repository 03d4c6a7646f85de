//! Faults on purpose: what they look like, and whom they meet.

mod faces;
mod shares;
