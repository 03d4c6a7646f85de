//! Pipelines: their order shown by what they do, from a configuration, and with another one while they run.

mod calls;
mod config;
mod hostile;
mod order;
mod reload;
mod server;
