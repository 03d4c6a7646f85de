//! What a budget promises.

mod against_model;
mod rules;
