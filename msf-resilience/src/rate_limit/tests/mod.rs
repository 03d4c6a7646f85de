//! The limit against naive models, its bounds, and what it tells clients.

mod against_model;
mod answers;
mod bounds;
