//! Against a real redis-server, which each test starts, stops, hangs and kills.
//!
//! They run in real time, since neither the server nor its socket can be paused. None sleeps and hopes: those about
//! arithmetic give the script a clock of theirs, and those about failures wait for what they expect.

mod against_model;
mod builder;
mod failures;
mod layer;
mod server;
mod shared;
