//! Shedding: the controller alone, and the handle around it.

mod controller;
mod handle;
