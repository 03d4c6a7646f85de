//! What can be wrong with a file that is a registry.

use std::{io, path::PathBuf};

use msf_core::name::{InstanceId, ServiceName};

use crate::error::RegistryError;

/// The file cannot be used as it is. What was read before stays in use until it can.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFile {
    /// There is no such file.
    #[error("{} does not exist; write {{\"instances\": []}} into it to list nobody", .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The directory is not there, or the path names one.
    #[error("{} is not a file in a directory that exists", .path.display())]
    Place {
        /// What was named.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("{} cannot be {action}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// `read`, `written` or `locked`.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It is larger than a registry may be.
    #[error("{} is larger than {max} bytes", .path.display())]
    Large {
        /// Which file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// Its content is no registry: half-written, no JSON, or with something in it that is not known.
    #[error(
        "{}:{line}: {reason}; write the whole file under another name and rename it to this one",
        .path.display()
    )]
    Content {
        /// Which file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// Two instances of a service have one id.
    #[error("{}:{line}: {service} has two instances with the id {id}; remove one", .path.display())]
    Duplicate {
        /// Which file.
        path: PathBuf,
        /// The line of the second one, from 1.
        line: usize,
        /// Their service.
        service: ServiceName,
        /// Their id.
        id: InstanceId,
    },
    /// Another process holds the lock for too long.
    #[error("another process holds {} for too long", .path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
}

impl From<InvalidFile> for RegistryError {
    fn from(error: InvalidFile) -> Self {
        match error {
            InvalidFile::Content { .. }
            | InvalidFile::Duplicate { .. }
            | InvalidFile::Large { .. } => Self::Protocol(error.into()),
            InvalidFile::Missing { .. }
            | InvalidFile::Place { .. }
            | InvalidFile::Io { .. }
            | InvalidFile::Locked { .. } => Self::Unreachable(error.into()),
        }
    }
}
