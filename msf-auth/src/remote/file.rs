//! Key sets in files.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{JwksDocument, JwksFetchError, JwksSource};
use crate::{
    algorithm::Algorithm,
    keys::{KeySet, VerifyingKey},
};

/// Reads a key set from a file, again every few seconds: a JWK set, or public keys in PEM.
///
/// What [`RemoteKeys`](super::RemoteKeys) promises holds here also: a file that is away, cut off, or without a usable
/// key changes nothing. Replace the file as a whole (write another one and rename it): of a file that is read while
/// it is written, what is there may be a key set, only a shorter one.
///
/// ```
/// use msf_auth::{FileJwks, RemoteKeys, SigningKey, TokenIssuer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let path = std::env::temp_dir().join(format!("msf-auth-doc-{}.jwks.json", std::process::id()));
/// let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
/// std::fs::write(&path, issuer.jwks().to_json())?;
///
/// let keys = RemoteKeys::new(FileJwks::new(&path));
/// keys.await_ready(std::time::Duration::from_secs(5)).await?;
/// assert!(keys.current().is_some_and(|keys| keys.contains(&issuer.key_id())));
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FileJwks {
    path: PathBuf,
    format: Format,
    poll_every: Duration,
    /// A read that hangs (a network's file system that is away) cannot be given up, so there is one at a time: or else
    /// each try would leave a thread behind, until none is left for anything else.
    reading: Arc<Semaphore>,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    JwkSet,
    /// Keys in PEM do not say what they are for.
    Pem(Algorithm),
}

/// Reading a small file costs microseconds; a key that was taken back counts for this long at most.
const POLL_EVERY: Duration = Duration::from_secs(5);
/// As that of [`KeySet::parse`](crate::KeySet::parse).
const FILE_BYTES_MAX: u64 = 512 * 1024;

impl FileJwks {
    /// A source that reads a JWK set from this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::with(path.into(), Format::JwkSet)
    }

    /// A source that reads public keys in PEM from this file, one block or several, all for one algorithm and each called
    /// by its thumbprint (RFC 7638).
    pub fn pem(path: impl Into<PathBuf>, algorithm: Algorithm) -> Self {
        Self::with(path.into(), Format::Pem(algorithm))
    }

    fn with(path: PathBuf, format: Format) -> Self {
        Self {
            path,
            format,
            poll_every: POLL_EVERY,
            reading: Arc::new(Semaphore::new(1)),
        }
    }

    /// How old what was read may be before it is read again; default 5 s, at least 1 s.
    #[must_use]
    pub fn poll_every(mut self, poll_every: Duration) -> Self {
        self.poll_every = poll_every;
        self
    }
}

#[async_trait]
impl JwksSource for FileJwks {
    async fn fetch(&self) -> Result<JwksDocument, JwksFetchError> {
        let path = self.path.clone();
        let place = self.reading.clone().acquire_owned().await;
        let place = place.map_err(JwksFetchError::new)?;
        let read = spawn_blocking(move || {
            let bytes = read(&path);
            drop(place);
            bytes
        });
        let read = read.await;
        let bytes = read
            .map_err(JwksFetchError::new)?
            .map_err(JwksFetchError::new)?;
        let document = match self.format {
            Format::JwkSet => bytes.into(),
            Format::Pem(algorithm) => from_pem(&bytes, algorithm)?.into(),
        };
        Ok(JwksDocument::fresh_for(document, self.poll_every))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe would hold the thread until somebody writes to it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    let mut bytes = Vec::new();
    let length = File::open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "above 512 KiB"));
    }
    Ok(bytes)
}

/// Blocks of `PUBLIC KEY` (RFC 7468 section 13), as a JWK set.
fn from_pem(bytes: &[u8], algorithm: Algorithm) -> Result<String, JwksFetchError> {
    let text = str::from_utf8(bytes).map_err(JwksFetchError::new)?;
    let blocks = text.split_inclusive(END).map(str::trim);
    let keys: Result<Vec<_>, _> = blocks
        .filter(|block| !block.is_empty())
        .map(|block| VerifyingKey::from_spki_pem(block, algorithm))
        .collect();
    let keys = KeySet::new(keys.map_err(JwksFetchError::new)?).map_err(JwksFetchError::new)?;
    Ok(keys.to_json())
}

const END: &str = "-----END PUBLIC KEY-----";

#[cfg(test)]
mod tests {
    use msf_core::task;

    use super::*;

    #[tokio::test]
    async fn a_read_that_hangs_is_the_only_one() {
        let path = std::env::temp_dir().join(format!("msf-auth-hangs-{}", std::process::id()));
        std::fs::write(&path, r#"{"keys":[]}"#).unwrap();
        let source = FileJwks::new(&path);
        // As the read of a file system that is away holds it.
        let hangs = source.reading.clone().acquire_owned().await.unwrap();
        for _ in 0..3 {
            let mut next = Box::pin(source.fetch());
            let is_waiting = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(next.as_mut().poll(cx).is_pending())
            });
            assert!(is_waiting.await);
            assert_eq!(source.reading.available_permits(), 0);
        }
        let again = source.clone();
        let waits = task::spawn("waits", async move { again.fetch().await.is_ok() });
        drop(hangs);
        assert_eq!(waits.join().await, Some(true));
        assert_eq!(source.reading.available_permits(), 1);
        std::fs::remove_file(&path).unwrap();
    }
}
