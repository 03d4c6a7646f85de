//! The checked numbers.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) max_keys: usize,
    pub(super) patience: Duration,
    pub(super) max_body: usize,
}
