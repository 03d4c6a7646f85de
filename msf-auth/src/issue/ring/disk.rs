//! The ring on disk: one file for each key, and a manifest that is replaced at once or not at all.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{
    KeyRingError, RotationPolicy, manifest,
    snapshot::Snapshot,
    state::{KeyChange, Ring},
};
use crate::{
    algorithm::Algorithm,
    issue::{
        KeyFileError,
        key_file::{self, FIRST_FILE},
    },
    keys::SigningKey,
};

const MANIFEST: &str = "ring.json";
const LOCK: &str = "ring.lock";
/// Sixteen keys have about 3 KiB.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;
/// A holder of the lock writes a few small files.
const LOCK_TRIES: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A directory with a ring.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
}

/// Released when it is dropped, and by the system when the process dies.
struct Lock(#[expect(dead_code, reason = "the lock lives as long as the file is open")] File);

/// Whether a directory has a ring, rather than the key of an issuer that has only one.
///
/// # Errors
///
/// [`KeyRingError::Lost`] when there are keys of a ring only, so that a key for one issuer must not be made.
pub(in crate::issue) fn has_ring(dir: &Path) -> Result<bool, KeyRingError> {
    let disk = Disk::new(dir.to_owned());
    let has_manifest = || match fs::exists(dir.join(MANIFEST)) {
        // Whoever makes the directory is told.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        outcome => outcome.map_err(failed("read", dir)),
    };
    if has_manifest()? {
        return Ok(true);
    }
    let is_to_be_made = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    };
    match disk.check_not_lost() {
        Err(KeyRingError::Io { source, .. }) if is_to_be_made(&source) => Ok(false),
        // Its manifest was written before the keys that were just seen.
        Err(KeyRingError::Lost { .. }) if has_manifest()? => Ok(true),
        outcome => outcome.map(|()| false),
    }
}

impl Disk {
    pub(super) const fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The ring of the directory; made, or made of the one key that is there, when there is none.
    pub(super) fn open(
        &self,
        policy: &RotationPolicy,
        now_s: u64,
    ) -> Result<(Snapshot, Vec<KeyChange>), KeyRingError> {
        key_file::create_dir(&self.dir).map_err(failed("created", &self.dir))?;
        self.check_dir()?;
        let lock = self.lock()?;
        let (ring, mut changes) = match self.read_manifest()? {
            Some(ring) => (ring, Vec::new()),
            None => {
                let (ring, change) = self.found(policy, now_s)?;
                // Before the next key is made: a process that dies there must not look like a manifest that was lost.
                self.write_manifest(&ring)?;
                (ring, vec![change])
            }
        };
        let written = self.write_changed(&lock, &ring, policy, now_s, |ring| {
            Ok(ring.advance(policy, now_s))
        });
        match written {
            Ok((snapshot, further)) => {
                changes.extend(further);
                Ok((snapshot, changes))
            }
            // On a full disk a process that starts is as good as one that runs: what is due is done later.
            Err(error) if error.is_io() => match self.load(ring) {
                Ok(snapshot) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(target: "msf_auth::issue", error, "the key ring is used as it is: what is due cannot be written");
                    Ok((snapshot, changes))
                }
                Err(_) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// The ring as it is, unchanged.
    pub(super) fn load_only(&self) -> Result<Snapshot, KeyRingError> {
        self.check_dir()?;
        let _lock = self.lock()?;
        let ring = self.read_newer(0)?;
        self.load(ring)
    }

    /// The ring as it is on disk if it is another than `known`.
    pub(super) fn reload(&self, known: u64) -> Result<Option<Snapshot>, KeyRingError> {
        // Without the lock: the manifest is replaced at once. It is read again with it.
        if self.read_newer(known)?.generation == known {
            return Ok(None);
        }
        let _lock = self.lock()?;
        let ring = self.read_newer(known)?;
        self.load(ring).map(Some)
    }

    /// Whether [`change`](Self::change) with the same step would do anything.
    pub(super) fn is_due(ring: &Ring, policy: &RotationPolicy, now_s: u64) -> bool {
        let mut next = ring.clone();
        next.advance(policy, now_s);
        next.wants_key() || next != *ring
    }

    /// Changes the ring as it is on disk, whatever this process knows of it.
    pub(super) fn change(
        &self,
        known: u64,
        policy: &RotationPolicy,
        now_s: u64,
        step: impl FnOnce(&mut Ring) -> Result<Vec<KeyChange>, KeyRingError>,
    ) -> Result<(Snapshot, Vec<KeyChange>), KeyRingError> {
        self.check_dir()?;
        let lock = self.lock()?;
        let ring = self.read_newer(known)?;
        self.write_changed(&lock, &ring, policy, now_s, step)
    }

    /// A staged key before and after the step: one that is revoked needs a successor, and so does the successor.
    fn write_changed(
        &self,
        lock: &Lock,
        before: &Ring,
        policy: &RotationPolicy,
        now_s: u64,
        step: impl FnOnce(&mut Ring) -> Result<Vec<KeyChange>, KeyRingError>,
    ) -> Result<(Snapshot, Vec<KeyChange>), KeyRingError> {
        let mut ring = before.clone();
        let mut changes = Vec::new();
        changes.extend(self.stage(&mut ring, policy, now_s)?);
        changes.extend(step(&mut ring)?);
        changes.extend(self.stage(&mut ring, policy, now_s)?);
        if ring != *before {
            ring.generation = ring.generation.saturating_add(1);
            // Before it is written: a ring that cannot be loaded must not be the one.
            let snapshot = self.load(ring)?;
            self.write_manifest(&snapshot.ring)?;
            self.sweep(lock, &snapshot.ring);
            return Ok((snapshot, changes));
        }
        self.sweep(lock, &ring);
        Ok((self.load(ring)?, changes))
    }

    fn stage(
        &self,
        ring: &mut Ring,
        policy: &RotationPolicy,
        now_s: u64,
    ) -> Result<Option<KeyChange>, KeyRingError> {
        if !ring.wants_key() {
            return Ok(None);
        }
        let key = generate(policy.algorithm)?;
        let change = ring.stage(key.id().into(), key.algorithm(), now_s);
        let entry = ring.keys.last().expect("the key was just added");
        key_file::create(&self.dir, &self.dir.join(entry.file_name()), &key)?;
        Ok(Some(change))
    }

    /// The first ring of a directory. Its key is in the file that an issuer of one key uses, so that whoever is first
    /// makes the key for both.
    fn found(
        &self,
        policy: &RotationPolicy,
        now_s: u64,
    ) -> Result<(Ring, KeyChange), KeyRingError> {
        self.check_not_lost()?;
        let make = || {
            generate(policy.algorithm).map_err(|error| match error {
                KeyRingError::Generate(error) => KeyFileError::Generate(error),
                _ => KeyFileError::Generate(crate::keys::InvalidKey::Generation),
            })
        };
        let key = key_file::open(&self.dir, make)?;
        let ring = Ring::new(key.id().into(), key.algorithm(), now_s);
        let change = KeyChange {
            key_id: key.id().into(),
            state: super::KeyState::Active,
            revoked: false,
        };
        Ok((ring, change))
    }

    /// Keys of a ring without a manifest: new ones would end every token in use.
    fn check_not_lost(&self) -> Result<(), KeyRingError> {
        let names = self.names().map_err(failed("read", &self.dir))?;
        if names.iter().any(|name| is_ring_key(name)) {
            return Err(KeyRingError::Lost {
                dir: self.dir.clone(),
            });
        }
        Ok(())
    }

    fn load(&self, ring: Ring) -> Result<Snapshot, KeyRingError> {
        let mut keys = Vec::with_capacity(ring.keys.len());
        for entry in &ring.keys {
            let path = self.dir.join(entry.file_name());
            let key = key_file::read(&path)?;
            if *key.id() != *entry.id || key.algorithm() != entry.algorithm {
                return Err(KeyFileError::Corrupt { path }.into());
            }
            keys.push(key);
        }
        Snapshot::new(ring, &keys).ok_or_else(|| self.corrupt("without an active key"))
    }

    fn read_newer(&self, known: u64) -> Result<Ring, KeyRingError> {
        let path = self.dir.join(MANIFEST);
        let ring = self.read_manifest()?.ok_or_else(|| KeyRingError::Io {
            path: path.clone(),
            action: "read",
            source: io::ErrorKind::NotFound.into(),
        })?;
        if ring.generation < known {
            return Err(KeyRingError::WentBack {
                path,
                known,
                found: ring.generation,
            });
        }
        Ok(ring)
    }

    fn read_manifest(&self) -> Result<Option<Ring>, KeyRingError> {
        let path = self.dir.join(MANIFEST);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            outcome => outcome.map_err(failed("read", &path))?,
        };
        check_mode(&path, &file.metadata().map_err(failed("read", &path))?)?;
        let mut text = Vec::new();
        file.take(MANIFEST_BYTES_MAX + 1)
            .read_to_end(&mut text)
            .map_err(failed("read", &path))?;
        if text.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(self.corrupt("too large"));
        }
        manifest::read(&text)
            .map(Some)
            .map_err(|what| self.corrupt(what))
    }

    fn write_manifest(&self, ring: &Ring) -> Result<(), KeyRingError> {
        let path = self.dir.join(MANIFEST);
        let draft = key_file::Draft::new(&self.dir, MANIFEST);
        let write = || {
            let mut file = key_file::new_file().open(draft.path())?;
            file.write_all(manifest::write(ring).as_bytes())?;
            // The content has to be there before the name, also after a power cut.
            file.sync_all()?;
            fs::rename(draft.path(), &path)?;
            key_file::sync_dir(&self.dir)
        };
        write().map_err(failed("written", &path))
    }

    /// Removes keys that are in no state any more, and what a process left that died in the middle.
    fn sweep(&self, _: &Lock, ring: &Ring) {
        let kept: Vec<String> = ring
            .keys
            .iter()
            .map(super::state::Entry::file_name)
            .collect();
        let names = self.names().unwrap_or_default();
        for name in names {
            let is_left = is_ring_key(&name) || name == FIRST_FILE || is_draft(&name);
            if is_left && !kept.contains(&name) {
                let path = self.dir.join(name);
                if let Err(error) = fs::remove_file(&path) {
                    let path = path.display();
                    tracing::warn!(target: "msf_auth::issue", %path, %error, "a key that is no longer used stays");
                }
            }
        }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.dir)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .filter_map(|name| {
                name.map(|name| OsStr::to_str(&name).map(str::to_owned))
                    .transpose()
            })
            .collect()
    }

    fn check_dir(&self) -> Result<(), KeyRingError> {
        let metadata = fs::metadata(&self.dir).map_err(failed("read", &self.dir))?;
        check_mode(&self.dir, &metadata)
    }

    fn lock(&self) -> Result<Lock, KeyRingError> {
        let path = self.dir.join(LOCK);
        let file = lock_file().open(&path).map_err(failed("locked", &path))?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(failed("locked", &path)(error)),
            }
        }
        Err(KeyRingError::Busy { path })
    }

    fn corrupt(&self, what: &'static str) -> KeyRingError {
        KeyRingError::Corrupt {
            path: self.dir.join(MANIFEST),
            what,
        }
    }
}

fn generate(algorithm: Algorithm) -> Result<SigningKey, KeyRingError> {
    match algorithm {
        Algorithm::Es256 => SigningKey::generate_es256(),
        _ => SigningKey::generate_ed25519(),
    }
    .map_err(KeyRingError::Generate)
}

fn is_ring_key(name: &str) -> bool {
    name.starts_with("key-") && name.ends_with(".pem")
}

/// Only the ring's: those of the first file belong to processes that do not take the lock.
fn is_draft(name: &str) -> bool {
    name.starts_with(".ring.json.") || name.starts_with(".key-")
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyRingError {
    let path = path.to_owned();
    move |source| KeyRingError::Io {
        path,
        action,
        source,
    }
}

#[cfg(unix)]
fn lock_file() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}

#[cfg(not(unix))]
fn lock_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    options
}

/// Whoever can write here chooses the keys.
#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyRingError> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(KeyRingError::Permissions {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), KeyRingError> {
    Ok(())
}
