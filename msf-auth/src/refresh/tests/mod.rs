//! Sessions as a whole.

mod cancel;
mod model;
mod sessions;
mod stores;
