//! Where configurations come from.

use std::{io, path::PathBuf, time::Duration};

use async_trait::async_trait;
use tokio::{fs::File, io::AsyncReadExt, time};

/// The text of a configuration, and what it is called in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigText {
    /// The name of the file; one that ends in `.json` is JSON, any other TOML.
    pub name: String,
    /// What is in it.
    pub text: String,
}

impl ConfigText {
    /// A text with its name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }
}

/// Where configurations come from: a [file](FileProvider), or wherever a program keeps them.
///
/// It is asked again and again, so it should be cheap to ask.
#[async_trait]
pub trait ConfigProvider: Send + Sync + 'static {
    /// The text as it is now.
    ///
    /// # Errors
    ///
    /// When it cannot be read; the gateway goes on with what it has.
    ///
    /// # Cancel safety
    ///
    /// It may be given up at any time.
    async fn read(&self) -> io::Result<ConfigText>;
}

/// A file.
///
/// A file of more than 16 MiB is refused, as is anything that is no regular file; reading it may take 5 s.
///
/// ```
/// use msf_gateway::live::{ConfigProvider, FileProvider};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let missing = FileProvider::new("/nowhere/gateway.toml");
/// assert_eq!(missing.read().await.unwrap_err().kind(), std::io::ErrorKind::NotFound);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FileProvider {
    path: PathBuf,
}

impl FileProvider {
    /// A file by its path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    async fn text(&self) -> io::Result<String> {
        let file = File::open(&self.path).await?;
        // A pipe would wait for a writer, and a directory gives an error that nobody understands.
        if !file.metadata().await?.is_file() {
            return Err(io::Error::other("is no regular file"));
        }
        let mut bytes = Vec::new();
        file.take(BYTES_MAX + 1).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(io::Error::other("is larger than 16 MiB"));
        }
        String::from_utf8(bytes).map_err(|_| io::Error::other("is not valid UTF-8"))
    }
}

#[async_trait]
impl ConfigProvider for FileProvider {
    async fn read(&self) -> io::Result<ConfigText> {
        let read = time::timeout(READ_MAX, self.text()).await;
        let read = read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        // The system does not say which file.
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
        };
        let text = read.map_err(named)?;
        Ok(ConfigText::new(self.path.display().to_string(), text))
    }
}

/// Tens of thousands of routes fit; a disk image that was named by mistake does not.
const BYTES_MAX: u64 = 16 << 20;
/// A file system that has gone away must not hold the next reload for ever.
const READ_MAX: Duration = Duration::from_secs(5);
