//! The file itself: blocking calls, each bounded in size.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use msf_core::clock;

use super::error::InvalidFile;

/// Tells one content of a file from the next without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Result<Self, InvalidFile> {
        let data = fs::metadata(path).map_err(|source| failed(path, "read", source))?;
        // Opening a pipe would wait for somebody who writes into it.
        if !data.is_file() {
            return Err(InvalidFile::Place { path: path.into() });
        }
        Ok(Self {
            modified: data.modified().ok(),
            len: data.len(),
            inode: inode(&data),
        })
    }

    /// Whether it is so long ago that another content would have another stamp: file systems count time
    /// in steps, and a number that was given back is given out again. The same holds for a time that is
    /// yet to come, since the clock was set back.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let age = self.modified.map(|at| match now.duration_since(at) {
            Ok(age) => age,
            Err(ahead) => ahead.duration(),
        });
        age.is_some_and(|age| age > SETTLED)
    }
}

/// The content, at most `max` bytes of it.
pub(super) fn read(path: &Path, max: u64) -> Result<Vec<u8>, InvalidFile> {
    let file = File::open(path).map_err(|source| failed(path, "read", source))?;
    let mut content = Vec::new();
    // The length that the system tells is that of a moment ago.
    file.take(max.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|source| failed(path, "read", source))?;
    if content.len() as u64 > max {
        let path = path.into();
        return Err(InvalidFile::Large { path, max });
    }
    Ok(content)
}

/// Puts a content in the place of the file: whoever reads sees the old one or the new one, also after
/// a power failure. The caller holds the lock, so the temporary name is its own.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), InvalidFile> {
    // Through a link, so that the link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_new| path.into());
    let temporary = beside(&path, "tmp");
    let written = write_new(&temporary, &path, content)
        .and_then(|()| fs::rename(&temporary, &path))
        .and_then(|()| sync_directory(&path));
    written.map_err(|source| {
        let _half_written = fs::remove_file(&temporary);
        failed(&path, "written", source)
    })
}

fn write_new(temporary: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    // What a process left that was killed, or a link that somebody put there for us to write through.
    if let Err(error) = fs::remove_file(temporary)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(temporary)?;
    if let Ok(data) = fs::metadata(path) {
        file.set_permissions(data.permissions())?;
    }
    file.write_all(content)?;
    file.sync_data()
}

/// A rename is on the disk when its directory is.
fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if cfg!(unix) => File::open(parent)?.sync_data(),
        _ => Ok(()),
    }
}

/// The right to change the file, given back when it is dropped; the system gives it back for a process
/// that was killed.
#[derive(Debug)]
pub(super) struct Lock(
    #[expect(dead_code, reason = "closing it is what gives the lock back")] File,
);

impl Lock {
    /// Waits for at most so long.
    pub(super) fn take(path: &Path, wait: Duration) -> Result<Self, InvalidFile> {
        // Whoever comes by way of a link waits for those who do not.
        let path = fs::canonicalize(path).unwrap_or_else(|_new| path.into());
        let path = beside(&path, "lock");
        let deadline = clock::now() + wait;
        loop {
            let locked = open_lock(&path)
                .map_err(TryLockError::Error)
                .and_then(|file| file.try_lock().map(|()| file));
            match locked {
                Ok(file) if is_at(&file, &path) => return Ok(Self(file)),
                // Somebody has tidied the directory up: a lock that nobody else finds keeps nobody out.
                Ok(_) | Err(TryLockError::WouldBlock) if clock::now() < deadline => {
                    // The system's own waiting has no limit.
                    thread::sleep(Duration::from_micros(fastrand::u64(500..5_000)));
                }
                Ok(_) | Err(TryLockError::WouldBlock) => return Err(InvalidFile::Locked { path }),
                Err(TryLockError::Error(source)) => return Err(failed(&path, "locked", source)),
            }
        }
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Whether the path still leads to this file.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(theirs)) => inode(&ours) == inode(&theirs),
        _ => false,
    }
}

/// `services.json.lock` beside `services.json`.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

fn failed(path: &Path, action: &'static str, source: io::Error) -> InvalidFile {
    let path = path.into();
    if source.kind() == io::ErrorKind::NotFound {
        return InvalidFile::Missing { path };
    }
    InvalidFile::Io {
        path,
        action,
        source,
    }
}

#[cfg(unix)]
fn inode(data: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(data)
}

#[cfg(not(unix))]
fn inode(_data: &fs::Metadata) -> u64 {
    0
}

/// Coarser than the steps of any file system in use.
const SETTLED: Duration = Duration::from_secs(2);
