//! Tests of the whole subscriber, without global state: the writer and `RUST_LOG` are arguments.

mod bench;
mod cost;
mod json;
mod level;
mod pretty;
mod shutdown;

pub(super) use bench::{Bench, within};
