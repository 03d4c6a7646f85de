//! The limit against naive models, its bounds, its queue, and what it tells clients.

mod against_model;
mod answers;
mod bounds;
mod entry;
mod knobs;
mod queue;
mod shared;
