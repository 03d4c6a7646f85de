//! The key on disk: appears at once or not at all, and is its owner's only.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use super::{KeyFileError, pem};
use crate::keys::SigningKey;

/// The file of an issuer that has one key.
pub(super) const FIRST_FILE: &str = "signing-key.pem";
/// A key has 119 or 241 bytes; what is much larger is no key.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// The key of a directory; made when there is none.
pub(super) fn open(
    dir: &Path,
    generate: impl FnOnce() -> Result<SigningKey, KeyFileError>,
) -> Result<SigningKey, KeyFileError> {
    let path = dir.join(FIRST_FILE);
    match read(&path) {
        Err(KeyFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        outcome => return outcome,
    }
    create_dir(dir).map_err(failed("created", dir))?;
    create(dir, &path, &generate()?)?;
    // Read back: another process may have been first, and then its key is the one.
    read(&path)
}

/// The key of a file that is its owner's only.
pub(super) fn read(path: &Path) -> Result<SigningKey, KeyFileError> {
    let failed = || failed("read", path);
    let file = File::open(path).map_err(failed())?;
    check_mode(path, &file.metadata().map_err(failed())?)?;
    let mut text = String::new();
    let corrupt = || KeyFileError::Corrupt {
        path: path.to_owned(),
    };
    match file.take(FILE_BYTES_MAX).read_to_string(&mut text) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(corrupt()),
        outcome => outcome.map_err(failed())?,
    };
    let der = pem::decode(&text).ok_or_else(corrupt)?;
    SigningKey::from_pkcs8(&der).map_err(|_| corrupt())
}

/// Writes the key under another name, and gives it its own with a link, which fails if there is one already.
pub(super) fn create(dir: &Path, path: &Path, key: &SigningKey) -> Result<(), KeyFileError> {
    let failed = || failed("created", path);
    let der = key.to_pkcs8().map_err(KeyFileError::Generate)?;
    let name = path.file_name().unwrap_or_default();
    let draft = Draft::new(dir, &name.to_string_lossy());
    let mut file = new_file().open(&draft.0).map_err(failed())?;
    file.write_all(pem::encode(&der).expose().as_bytes())
        .map_err(failed())?;
    // The content has to be there before the name, also after a power cut.
    file.sync_all().map_err(failed())?;
    match fs::hard_link(&draft.0, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed()(error)),
        _ => {}
    }
    drop(draft);
    sync_dir(dir).map_err(failed())
}

/// A file that goes when its content has its name, or when that did not work.
pub(super) struct Draft(PathBuf);

impl Draft {
    pub(super) fn new(dir: &Path, name: &str) -> Self {
        Self(dir.join(format!(".{name}.{:016x}", fastrand::u64(..))))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            let path = self.0.display();
            tracing::warn!(target: "msf_auth::issue", %path, %error, "a draft of the key file stays");
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    move |source| KeyFileError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}

#[cfg(unix)]
pub(super) fn new_file() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}

#[cfg(not(unix))]
pub(super) fn new_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options
}

#[cfg(unix)]
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

#[cfg(not(unix))]
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Permissions {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), KeyFileError> {
    Ok(())
}

#[cfg(unix)]
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}
