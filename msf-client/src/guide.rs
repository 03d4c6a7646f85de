//! Runs the code of the guide's pages on calls as doc tests, so that none can go stale.
//!
//! It exists under `cfg(doctest)` only, in the repository only: `cargo package` takes no file from outside of the
//! crate, and nothing but `cargo test --doc` ever looks at this module.

#[doc = include_str!("../../docs/guide/gateway/retries.md")]
mod retries {}
