//! Reads and replaces files; blocks.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use msf_core::name::ServiceName;

use super::file::{BYTES_MAX, CacheError, Persisted, decode};

/// A directory of lists.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    dir: Arc<Path>,
}

impl Disk {
    pub(super) const fn new(dir: Arc<Path>) -> Self {
        Self { dir }
    }

    /// The file of a service. A service's name is a DNS label, so it leads nowhere else.
    pub(super) fn path(&self, service: &ServiceName) -> PathBuf {
        self.dir.join(format!("service-{service}.json"))
    }

    /// The list of a service; `None` when there is no file.
    pub(super) fn read(
        &self,
        service: &ServiceName,
        now: SystemTime,
    ) -> Result<Option<Persisted>, CacheError> {
        self.sweep(service, now);
        let path = self.path(service);
        let file = match fs::metadata(&path) {
            // To open a pipe would wait for a writer for ever.
            Ok(found) if !found.is_file() => return Err(CacheError::NoFile),
            Ok(_file) => File::open(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Not the length that the file claims: it may grow, or be a device.
        let mut bytes = Vec::new();
        file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(CacheError::Large(BYTES_MAX));
        }
        decode(&bytes, service, now).map(Some)
    }

    /// Replaces the file of a service as a whole: after a crash at any moment it is the old one or the new one.
    pub(super) fn write(&self, service: &ServiceName, bytes: &[u8]) -> Result<(), CacheError> {
        make_dir(&self.dir)?;
        let path = self.path(service);
        let temporary = self.temporary(service);
        let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, &path));
        if written.is_err() {
            // It may not be there; and there is nobody else to tell.
            let _gone = fs::remove_file(&temporary);
        }
        written?;
        sync_dir(&self.dir);
        Ok(())
    }

    /// Removes what processes that were killed while they wrote have left behind.
    fn sweep(&self, service: &ServiceName, now: SystemTime) {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        let prefix = format!(".service-{service}.json.");
        for entry in entries.take(ENTRIES_MAX).flatten() {
            let name = entry.file_name();
            let is_temporary = name
                .to_str()
                .is_some_and(|name| name.starts_with(&prefix) && name.ends_with(SUFFIX));
            let age = || {
                now.duration_since(entry.metadata()?.modified()?)
                    .map_err(io::Error::other)
            };
            if is_temporary && age().is_ok_and(|age| age > LEFT_BEHIND) {
                let _gone = fs::remove_file(entry.path());
            }
        }
    }

    /// Another name for every writer: several processes may share the directory.
    fn temporary(&self, service: &ServiceName) -> PathBuf {
        let unique = fastrand::u64(..);
        self.dir
            .join(format!(".service-{service}.json.{unique:016x}{SUFFIX}"))
    }
}

/// Only this user may write into a directory of ours: its lists say where calls go.
fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // Metadata of instances is not for every user of the machine.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    // Before the name changes: a name must not survive a crash that its bytes do not.
    file.sync_all()
}

/// Makes the new name durable, where the platform can; without it a crash brings the old file back, which is whole.
fn sync_dir(dir: &Path) {
    if let Ok(dir) = File::open(dir) {
        let _unsupported = dir.sync_all();
    }
}

const SUFFIX: &str = ".tmp";
const LEFT_BEHIND: Duration = Duration::from_secs(60);
const ENTRIES_MAX: usize = 10_000;
