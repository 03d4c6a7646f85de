//! The key of an issuer on disk.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread,
};

use msf_auth::{KeyFileError, TokenIssuer};

/// A directory that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let name = format!("msf-auth-{}-{:016x}", std::process::id(), fastrand::u64(..));
        Self(std::env::temp_dir().join(name))
    }

    fn key(&self) -> PathBuf {
        self.0.join("signing-key.pem")
    }

    fn open(&self) -> Result<TokenIssuer, KeyFileError> {
        TokenIssuer::open(&self.0, "https://user.shop")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_key_is_made_once_and_is_its_owners_only() {
    let dir = Dir::new();
    let first = dir.open().unwrap();
    assert_eq!((mode(&dir.key()), mode(&dir.0)), (0o600, 0o700));
    assert_eq!(dir.open().unwrap().key_id(), first.key_id());
    // No draft stays.
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1);
}

#[test]
fn those_that_start_together_have_one_key() {
    let dir = Dir::new();
    let ids: Vec<Box<str>> = thread::scope(|scope| {
        let open = || dir.open().unwrap().key_id();
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1);
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let dir = Dir::new();
    dir.open().unwrap();
    for bits in [0o644, 0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(dir.key(), fs::Permissions::from_mode(bits)).unwrap();
        match dir.open() {
            Err(KeyFileError::Permissions { mode, .. }) => assert_eq!(mode, bits),
            other => panic!("{other:?}"),
        }
    }
    fs::set_permissions(dir.key(), fs::Permissions::from_mode(0o400)).unwrap();
    assert!(dir.open().is_ok());
}

#[test]
fn a_broken_key_is_an_error_and_stays() {
    let dir = Dir::new();
    dir.open().unwrap();
    let good = fs::read_to_string(dir.key()).unwrap();
    let half = good[..good.len() / 2].to_owned();
    let zeros = vec![0u8; 40];
    for content in [b"".as_slice(), half.as_bytes(), b"\xff\xfe", &zeros] {
        fs::write(dir.key(), content).unwrap();
        let error = dir.open().unwrap_err();
        assert!(matches!(error, KeyFileError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains("signing-key.pem"));
        assert_eq!(fs::read(dir.key()).unwrap(), content);
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_with_its_name() {
    let dir = Dir::new();
    fs::write(&dir.0, "a file").unwrap();
    let error = TokenIssuer::open(dir.0.join("keys"), "i").unwrap_err();
    assert!(matches!(error, KeyFileError::Io { .. }), "{error:?}");
    fs::remove_file(&dir.0).unwrap();
}
