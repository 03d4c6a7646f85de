//! Calls that share one answer: the rules, HTTP, and many threads.

mod http;
mod races;
mod rules;
mod stress;
