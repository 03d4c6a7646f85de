//! The shop once more, to run the tests that stand beside its code.
//!
//! Cargo builds an example to be run or to be tested, not both, and the tests of the processes need one to run.

#![allow(
    dead_code,
    reason = "what only `main` uses is used in the example itself"
)]

#[path = "main.rs"]
mod shop;

// The modules call each other `crate::db`, whichever of the two programs they are in.
use shop::*;
