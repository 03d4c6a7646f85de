//! Sessions as a whole.

mod model;
mod sessions;
mod stores;
