//! The limit that adapts: its handle, its algorithms, and both against a simulated callee.

mod handle;
mod properties;
mod simulations;
