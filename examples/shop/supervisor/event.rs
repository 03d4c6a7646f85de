//! What happens to the services of a shop.

use std::{fmt, time::Duration};

use msf_core::name::InstanceId;

use crate::ready::Ready;

/// A change that a person at the terminal wants to know.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A process ended that should not have.
    Died {
        instance: InstanceId,
        /// What the system says: an exit code or a signal.
        cause: String,
        restart_after: Duration,
    },
    /// It keeps dying.
    CrashLoop {
        instance: InstanceId,
        deaths: u32,
        within: Duration,
        /// The end of its log.
        log: String,
    },
    /// A restarted process is ready.
    Back { ready: Ready, away: Duration },
    /// It was killed and is not started again yet.
    Held { instance: InstanceId },
    /// It did not end in time and was killed.
    Cut { instance: InstanceId },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died {
                instance,
                cause,
                restart_after,
            } => write!(
                f,
                "{instance} died ({cause}); starting it again in {restart_after:?}"
            ),
            Self::CrashLoop {
                instance,
                deaths,
                within,
                log,
            } => write!(
                f,
                "{instance} keeps dying: {deaths} times in {:.0} s. Its last words:\n{log}",
                within.as_secs_f32()
            ),
            Self::Back { ready, away } => write!(
                f,
                "{} is back on {} after {:.1} s (pid {})",
                ready.instance,
                ready.addr,
                away.as_secs_f32(),
                ready.pid
            ),
            Self::Held { instance } => write!(f, "{instance} was killed and stays down"),
            Self::Cut { instance } => write!(f, "{instance} did not end in time and was killed"),
        }
    }
}
