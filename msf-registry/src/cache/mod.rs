//! The last list of every watched service, on disk, for a process that starts while the registry is away.
//!
//! One file per service, replaced as a whole ([`file`] is its format, [`disk`] reads and writes it), at most once per
//! second and never on the path of a call ([`writer`]). Whatever is wrong with a file or the disk costs a warning and
//! a count, nothing else.

mod disk;
mod file;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use msf_core::{clock::WallClock, name::ServiceName};
use tokio::{task::spawn_blocking, time::timeout};

pub(crate) use self::file::Persisted;
use self::{disk::Disk, file::CacheError};
use crate::metrics::CacheErrors;

/// Where lists are kept; clones share the directory.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    disk: Disk,
    age_max: Duration,
    clock: WallClock,
    errors: CacheErrors,
}

impl Cache {
    pub(crate) fn new(dir: &Path, age_max: Duration, errors: CacheErrors) -> Self {
        Self {
            disk: Disk::new(Arc::from(dir)),
            age_max,
            clock: WallClock::system(),
            errors,
        }
    }

    /// The list that an earlier process kept of a service, if there is one that can be used.
    pub(crate) async fn load(self, service: ServiceName) -> Option<Persisted> {
        let disk = self.disk.clone();
        let (of, now) = (service.clone(), self.clock.now());
        let read = spawn_blocking(move || disk.read(&of, now));
        let read = match timeout(READ_MAX, read).await {
            Ok(Ok(read)) => read,
            Ok(Err(_panicked)) => Err(CacheError::Interrupted),
            Err(_elapsed) => Err(CacheError::Slow(READ_MAX)),
        };
        let usable = read.and_then(|read| match read {
            Some(read) if read.age > self.age_max => Err(CacheError::Old {
                age: read.age,
                max: self.age_max,
            }),
            read => Ok(read),
        });
        usable.unwrap_or_else(|error| {
            self.errors.read.inc();
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(
                %service,
                path = %self.disk.path(&service).display(),
                %error,
                cause,
                "the last list of this service cannot be read; it is found when the registry answers"
            );
            None
        })
    }
}

/// A disk that is slower than this is away; the registry may still answer.
const READ_MAX: Duration = Duration::from_secs(5);
