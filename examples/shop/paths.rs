//! Where the shop keeps its data, and who may use it.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// The directory of one shop: four databases, keys and logs. Owned by one shop at a time ([`DataLock`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataDir {
    root: PathBuf,
    temporary: bool,
}

/// A directory that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DataError {
    /// The system refused.
    #[error("cannot use the data directory {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    /// Another shop is running on it.
    #[error("{path} is in use by another shop; stop that one, or choose another directory")]
    InUse { path: PathBuf },
}

impl DataDir {
    /// A directory that stays; made if it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        create_private(path).map_err(|source| failed(path, source))?;
        // Absolute, since the same words go to child processes and into messages.
        let root = path.canonicalize().map_err(|source| failed(path, source))?;
        Self::with_folders(root, false)
    }

    /// A directory that is removed with the shop.
    pub(crate) fn temporary() -> Result<Self, DataError> {
        let parent = std::env::temp_dir();
        let name = format!("msf-shop-{}-{:08x}", std::process::id(), random());
        Self::temporary_at(&parent.join(name))
    }

    fn temporary_at(root: &Path) -> Result<Self, DataError> {
        // Fails on an existing one: somebody else's directory is never ours to fill.
        private()
            .create(root)
            .map_err(|source| failed(root, source))?;
        Self::with_folders(root.to_owned(), true)
    }

    /// A directory that another process of the same shop has made.
    pub(crate) fn joined(root: PathBuf, temporary: bool) -> Self {
        Self { root, temporary }
    }

    fn with_folders(root: PathBuf, temporary: bool) -> Result<Self, DataError> {
        for folder in ["keys", "logs"] {
            let path = root.join(folder);
            create_private(&path).map_err(|source| failed(&path, source))?;
        }
        Ok(Self { root, temporary })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// Whether it is removed with the shop.
    pub(crate) const fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// The database of a service, such as `orders`.
    pub(crate) fn database(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.db"))
    }

    /// Where a service keeps its signing key.
    pub(crate) fn keys(&self, service: &str) -> PathBuf {
        self.root.join("keys").join(service)
    }

    /// The public half of a service's key, for those who verify its tokens.
    pub(crate) fn jwks(&self, service: &str) -> PathBuf {
        self.root.join("keys").join(format!("{service}.jwks.json"))
    }

    /// The directory of the logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The log of one instance, over all its restarts.
    pub(crate) fn log(&self, instance: &str) -> PathBuf {
        self.logs().join(format!("{instance}.log"))
    }

    /// Takes the directory for one shop, until the lock is dropped or its process dies.
    ///
    /// Blocks up to 5 s while services of a killed predecessor finish their last requests.
    pub(crate) fn lock(&self) -> Result<DataLock, DataError> {
        let shop = self.lock_file("shop.lock")?;
        self.try_lock(&shop)?;
        let services = self.lock_file("services.lock")?;
        let mut tries = 0;
        while let Err(error) = self.try_lock(&services) {
            if tries == PREDECESSOR_TRIES {
                return Err(error);
            }
            tries += 1;
            thread::sleep(PREDECESSOR_STEP);
        }
        Ok(DataLock { _shop: shop })
    }

    /// Says that this process serves from the directory, until the presence is dropped or the process
    /// dies. See [`Presence::leave`].
    pub(crate) fn enter(&self) -> Result<Presence, DataError> {
        let file = self.lock_file("services.lock")?;
        file.lock_shared()
            .map_err(|source| failed(&self.root, source))?;
        Ok(Presence {
            file,
            data: self.clone(),
        })
    }

    /// Removes the directory if it is a temporary one.
    pub(crate) fn remove_if_temporary(&self) {
        if !self.temporary {
            return;
        }
        let mut tries = 0;
        while let Err(error) = fs::remove_dir_all(&self.root) {
            // A process that was killed a moment ago may still have made a file in it.
            if error.kind() == io::ErrorKind::NotFound || tries == REMOVE_TRIES {
                break;
            }
            tries += 1;
            thread::sleep(REMOVE_STEP);
        }
    }

    fn lock_file(&self, name: &str) -> Result<File, DataError> {
        let path = self.root.join(name);
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| failed(&path, source))
    }

    fn try_lock(&self, file: &File) -> Result<(), DataError> {
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => DataError::InUse {
                path: self.root.clone(),
            },
            TryLockError::Error(source) => failed(&self.root, source),
        })
    }
}

/// Keeps other shops out of a directory. The system releases it when the process dies.
#[derive(Debug)]
pub(crate) struct DataLock {
    _shop: File,
}

/// A process that serves from a directory.
#[derive(Debug)]
pub(crate) struct Presence {
    file: File,
    data: DataDir,
}

impl Presence {
    /// Leaves when the shop itself has died: the last of its services removes a temporary directory.
    ///
    /// Whoever gets the lock alone after having given up its own share is the last one: a process that
    /// still serves holds a share, and one that is leaving asks only after it has given up its own.
    pub(crate) fn leave_orphaned(self) {
        let last = self.file.unlock().is_ok() && self.file.try_lock().is_ok();
        if last {
            self.data.remove_if_temporary();
        }
    }
}

/// A directory of these, for what is missing; one that is there stays as it is.
fn create_private(path: &Path) -> io::Result<()> {
    private().recursive(true).create(path)
}

/// Passwords' hashes and signing keys lie in it, so it is nobody else's to read.
fn private() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is no mode to set"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn random() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    #[expect(clippy::cast_possible_truncation, reason = "any 32 bits do")]
    let bits = RandomState::new().hash_one(0) as u32;
    bits
}

fn failed(path: &Path, source: io::Error) -> DataError {
    DataError::Io {
        path: path.to_owned(),
        source,
    }
}

const REMOVE_STEP: Duration = Duration::from_millis(50);
const REMOVE_TRIES: u32 = 10;
const PREDECESSOR_STEP: Duration = Duration::from_millis(100);
const PREDECESSOR_TRIES: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_belongs_to_one_shop_at_a_time() {
        let data = DataDir::temporary().unwrap();
        let lock = data.lock().unwrap();
        let refused = data.lock().unwrap_err().to_string();
        assert!(refused.contains("in use by another shop"), "{refused}");

        drop(lock);
        data.lock().unwrap();
        data.remove_if_temporary();
    }

    #[test]
    fn the_last_orphan_removes_a_temporary_directory() {
        let data = DataDir::temporary().unwrap();
        let [first, second] = [data.enter().unwrap(), data.enter().unwrap()];
        first.leave_orphaned();
        assert!(data.path().exists());
        second.leave_orphaned();
        assert!(!data.path().exists());
    }

    #[test]
    fn a_temporary_directory_is_never_somebody_elses() {
        let data = DataDir::temporary().unwrap();
        let error = DataDir::temporary_at(data.path()).unwrap_err();
        assert!(matches!(error, DataError::Io { .. }), "{error}");
        data.remove_if_temporary();
    }

    #[test]
    fn a_kept_directory_stays() {
        let temporary = DataDir::temporary().unwrap();
        let data = DataDir::open(temporary.path()).unwrap();
        data.enter().unwrap().leave_orphaned();
        data.remove_if_temporary();
        assert!(data.path().exists());
        temporary.remove_if_temporary();
    }
}
