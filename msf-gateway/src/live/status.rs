//! What became of the configurations that were read.

use std::time::SystemTime;

use super::revision::Revision;
use crate::config::ConfigErrors;

/// Which configuration a [`LiveGateway`](super::LiveGateway) runs on, and what was wrong with the last one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveStatus {
    /// The revision that is in use.
    pub revision: Revision,
    /// Since when.
    pub since: SystemTime,
    /// Why the text that was read last is not in use, if it is not.
    pub last_error: Option<ConfigErrors>,
    /// Keys whose values differ from those the process started with and count only after a restart.
    pub needs_restart: Vec<String>,
}

/// What became of one text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reload {
    /// It is in use from now on.
    Applied(Revision),
    /// It is the one that was looked at before.
    Unchanged,
    /// It is wrong; the gateway goes on as before.
    Rejected(ConfigErrors),
}
