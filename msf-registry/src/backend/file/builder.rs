//! The settings of a file.

use std::{path::PathBuf, time::Duration};

use super::{error::InvalidFile, registry::FileRegistry};

/// Builds a [`FileRegistry`]. Made by [`FileRegistry::builder`].
///
/// ```
/// use std::time::Duration;
/// use msf_registry::backend::file::FileRegistry;
///
/// let directory = std::env::temp_dir();
/// let registry = FileRegistry::builder(directory.join(format!("b-{}.json", std::process::id())))
///     .poll(Duration::from_secs(1))
///     .open()?;
/// # std::fs::remove_file(registry.path()).expect("it was made");
/// # Ok::<(), msf_registry::backend::file::InvalidFile>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FileRegistryBuilder {
    pub(super) path: PathBuf,
    pub(super) poll: Duration,
    pub(super) timeout: Duration,
    pub(super) bytes_max: u64,
    pub(super) ttl_min: Duration,
    pub(super) ttl_max: Duration,
    pub(super) is_read_only: bool,
}

impl FileRegistryBuilder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self {
            path,
            poll: Duration::from_millis(500),
            timeout: Duration::from_secs(2),
            bytes_max: 16 * 1024 * 1024,
            ttl_min: Duration::from_millis(100),
            ttl_max: Duration::from_secs(600),
            is_read_only: false,
        }
    }

    /// How often it looks whether another process has changed the file; 500 ms unless set, 10 ms at
    /// least. A look costs one system call, and what this process writes it knows at once.
    pub const fn poll(mut self, interval: Duration) -> Self {
        self.poll = interval;
        self
    }

    /// How long reading, writing and waiting for the lock may take; 2 s unless set, well below the
    /// usual time to live.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How large the file may be; 16 MiB unless set, about 50 000 instances.
    pub const fn bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// Leases may live this long at least and at most; 100 ms and 10 min unless set.
    pub const fn ttl_bounds(mut self, min: Duration, max: Duration) -> Self {
        self.ttl_min = min;
        self.ttl_max = max;
        self
    }

    /// Never writes: for a file that is deployed, such as a mounted `ConfigMap`. Instances cannot
    /// register.
    pub const fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }

    /// The registry. A file that does not exist is made, unless it is only read. What a file says is
    /// not looked at yet: one that is broken is mended while the process runs.
    ///
    /// # Errors
    ///
    /// [`InvalidFile`] when there cannot be a file of this name.
    pub fn open(mut self) -> Result<FileRegistry, InvalidFile> {
        self.poll = self.poll.max(POLL_MIN);
        FileRegistry::with(self)
    }
}

const POLL_MIN: Duration = Duration::from_millis(10);
