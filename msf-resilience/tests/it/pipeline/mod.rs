//! Pipelines: their order shown by what they do, from a configuration, and with another one while they run.

mod config;
mod order;
mod reload;
