//! Card tokens at rest.
//!
//! An order survives a crash between reserving and charging, so its card token has to be on the disk in
//! between. It lies there encrypted, under a key that is not in the database, and it is removed with
//! the answer to the charge. The fingerprint of a request covers the token as well and is keyed for
//! the same reason: the tokens of a small set could be told from plain hashes.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    error::Unspecified,
    hmac, rand,
};

use crate::payment::card::CardToken;

/// The keys under which card tokens lie in the database.
#[derive(Debug)]
pub(crate) struct Vault {
    seal: RandomizedNonceKey,
    fingerprint: hmac::Key,
}

/// Why a token cannot be sealed or opened; says nothing about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum VaultError {
    /// The key file cannot be read or made.
    #[error("the key file of the vault cannot be used")]
    Key(#[from] io::Error),
    /// What was stored was not sealed by this vault for this order, or was changed.
    #[error("a sealed card cannot be opened")]
    Sealed,
}

impl Vault {
    /// Reads the keys in this directory, which are made the first time.
    ///
    /// # Errors
    ///
    /// [`VaultError::Key`].
    pub(crate) fn open(dir: &Path) -> Result<Self, VaultError> {
        fs::create_dir_all(dir)?;
        let path = dir.join("vault.key");
        if !path.try_exists()? {
            create(dir, &path)?;
        }
        let keys = read(&path)?;
        let (seal, fingerprint) = keys.split_at(KEY);
        Ok(Self {
            seal: RandomizedNonceKey::new(&AES_256_GCM, seal).map_err(io::Error::other)?,
            fingerprint: hmac::Key::new(hmac::HMAC_SHA256, fingerprint),
        })
    }

    /// Encrypts a token; `bound_to` names what it belongs to.
    ///
    /// # Errors
    ///
    /// [`VaultError::Sealed`] when the system gives no random bytes.
    pub(crate) fn seal(&self, token: &CardToken, bound_to: &str) -> Result<Vec<u8>, VaultError> {
        let mut text = token.expose().as_bytes().to_vec();
        let nonce = self
            .seal
            .seal_in_place_append_tag(Aad::from(bound_to), &mut text)
            .map_err(sealed)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// Decrypts a token.
    ///
    /// # Errors
    ///
    /// [`VaultError::Sealed`] when it was not sealed here for the same thing.
    pub(crate) fn open_card(
        &self,
        sealed_card: &[u8],
        bound_to: &str,
    ) -> Result<CardToken, VaultError> {
        let (nonce, text) = sealed_card
            .split_at_checked(NONCE_LEN)
            .ok_or(VaultError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(sealed)?;
        let mut text = text.to_vec();
        let text = self
            .seal
            .open_in_place(nonce, Aad::from(bound_to), &mut text)
            .map_err(sealed)?;
        let text = str::from_utf8(text).map_err(|_| VaultError::Sealed)?;
        CardToken::new(text.to_owned()).ok_or(VaultError::Sealed)
    }

    /// A fingerprint of a request that tells nobody without the key what was in it.
    pub(crate) fn fingerprint(&self, request: &[u8]) -> Vec<u8> {
        hmac::sign(&self.fingerprint, request).as_ref().to_vec()
    }
}

/// Makes the key file whole or not at all; the first of several processes wins.
fn create(dir: &Path, path: &Path) -> io::Result<()> {
    let mut keys = [0; 2 * KEY];
    rand::fill(&mut keys).map_err(io::Error::other)?;
    let draft = dir.join(format!(
        "vault.{}.{}",
        std::process::id(),
        uuid::Uuid::now_v7()
    ));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let written = file.write_all(&keys).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    });
    fs::remove_file(&draft)?;
    linked?;
    // Without its name after a power cut the key would be made anew, and no stored card would open.
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    Ok(())
}

/// The keys of a file that is whole and its owner's only.
fn read(path: &Path) -> io::Result<[u8; 2 * KEY]> {
    let refused = |why| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    let file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            return refused("others may read or write the key");
        }
    }
    let mut keys = Vec::new();
    file.take(2 * KEY as u64 + 1).read_to_end(&mut keys)?;
    match keys.try_into() {
        Ok(keys) => Ok(keys),
        Err(_) => refused("the key does not have its length"),
    }
}

fn sealed(_says_nothing: Unspecified) -> VaultError {
    VaultError::Sealed
}

const KEY: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    fn token() -> CardToken {
        CardToken::new("tok_visa".to_owned()).unwrap()
    }

    #[test]
    fn a_token_opens_for_its_order_and_no_other_and_after_a_restart() {
        let dir = TempDir::new();
        let vault = Vault::open(dir.path()).unwrap();
        let sealed = vault.seal(&token(), "1/key").unwrap();
        assert!(!sealed.windows(8).any(|window| window == b"tok_visa"));

        let vault = Vault::open(dir.path()).unwrap();
        assert_eq!(
            vault.open_card(&sealed, "1/key").unwrap().expose(),
            "tok_visa"
        );
        assert!(vault.open_card(&sealed, "2/key").is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault.open_card(&changed, "1/key").is_err(), "{at}");
            assert!(vault.open_card(&sealed[..at], "1/key").is_err(), "{at}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_nobody_elses_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TempDir::new();
        Vault::open(dir.path()).unwrap();
        let mode = fs::metadata(dir.path().join("vault.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_or_that_is_not_whole_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TempDir::new();
        Vault::open(dir.path()).unwrap();
        let path = dir.path().join("vault.key");
        let good = fs::read(&path).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(Vault::open(dir.path()).is_err(), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for broken in [
            &[good.as_slice(), b"x"].concat(),
            &good[..good.len() - 1],
            b"",
        ] {
            fs::write(&path, broken).unwrap();
            assert!(Vault::open(dir.path()).is_err(), "{}", broken.len());
            assert_eq!(fs::read(&path).unwrap(), broken);
        }
    }
}
