//! How many sockets a process may have.

use msf_core::BoxError;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files to what the system allows, for this process and those that it starts.
pub(crate) fn allow(connections: usize) -> Result<(), BoxError> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    let needed = connections as u64 + OTHERS;
    match limit.maximum {
        Some(maximum) if maximum < needed => Err(format!(
            "{connections} connections need {needed} open files, and a process may have {maximum} here: raise the hard \
             limit (`ulimit -Hn`, or LimitNOFILE), or ask for fewer with --idle and --slow"
        )
        .into()),
        _ => Ok(()),
    }
}

/// The normal load, connections to the services, listeners, logs.
const OTHERS: u64 = 500;
