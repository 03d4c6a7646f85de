//! Why a ring is not what it should be.

use std::{io, path::PathBuf};

use msf_core::metrics::MetricsError;
use thiserror::Error;

use super::InvalidRotation;
use crate::{issue::KeyFileError, keys::InvalidKey};

/// A ring cannot be opened or changed. A process that has one open goes on with the keys that it has.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// The policy is not one.
    #[error(transparent)]
    Policy(#[from] InvalidRotation),
    /// A file or the directory cannot be read or written; on a full disk make room, nothing is lost.
    #[error("{} cannot be {action}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried, as a participle.
        action: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than the owner can write the manifest or the directory, so the keys may be theirs.
    #[error("{} can be written by others (mode {mode:o}): take that right away, or use a directory of its own below it", path.display())]
    Permissions {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The manifest is not one that was written here.
    #[error("the manifest {} is broken ({what}): restore it together with its keys, or move all of them away to start with new keys, which ends every token in use", path.display())]
    Corrupt {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// There are keys of a ring and no manifest, so it is not known which of them is whose turn.
    #[error("{} has keys of a ring and no `ring.json`: restore it, or move the `key-*.pem` files away to start with new keys, which ends every token in use", dir.display())]
    Lost {
        /// The directory.
        dir: PathBuf,
    },
    /// The manifest is older than the keys in use, as from a backup; revoked keys could come back with it.
    #[error("the manifest {} is of generation {found} and this process is at {known}: put the newer one back, or start all processes anew to go on with this one", path.display())]
    WentBack {
        /// The manifest.
        path: PathBuf,
        /// What this process has seen.
        known: u64,
        /// What is there.
        found: u64,
    },
    /// Another process held the lock for more than five seconds.
    #[error("{} is locked by another process, for more than five seconds: look what it does; the lock ends with it", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// No key of the ring has this id.
    #[error("no key of the ring has the id `{0}`")]
    UnknownKey(Box<str>),
    /// A new key could not be made.
    #[error("a key could not be generated")]
    Generate(#[source] InvalidKey),
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The runtime ended before the work was done.
    #[error("the runtime was shut down")]
    Stopped,
}

impl KeyRingError {
    /// Whether the system did not do it, rather than that what is there is wrong.
    pub(super) const fn is_io(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Key(KeyFileError::Io { .. }))
    }
}
