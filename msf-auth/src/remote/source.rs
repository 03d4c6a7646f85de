//! Who gets the document.

use std::future::Future;

use async_trait::async_trait;
use bytes::Bytes;
use msf_core::BoxError;
use thiserror::Error;

/// Gets the key set document of an issuer: over HTTP, from a file, by a service's name.
///
/// A call is bounded by [`RemoteKeys`](super::RemoteKeys) in time, and never runs twice at once. Any closure
/// that gives a future of the bytes is a source.
///
/// ```
/// use async_trait::async_trait;
/// use bytes::Bytes;
/// use msf_auth::{JwksFetchError, JwksSource, RemoteKeys};
///
/// struct File(std::path::PathBuf);
///
/// #[async_trait]
/// impl JwksSource for File {
///     async fn fetch(&self) -> Result<Bytes, JwksFetchError> {
///         std::fs::read(&self.0).map(Bytes::from).map_err(JwksFetchError::new)
///     }
/// }
///
/// let keys = RemoteKeys::new(File("keys/order.jwks.json".into()));
/// assert!(!keys.is_usable());
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot fetch a key set",
    note = "implement `msf_auth::JwksSource`, or pass a closure `Fn() -> impl Future<Output = Result<Bytes, JwksFetchError>>`"
)]
pub trait JwksSource: Send + Sync + 'static {
    /// The document as it is now.
    ///
    /// # Errors
    ///
    /// [`JwksFetchError`] with what went wrong; the last good keys stay in use.
    async fn fetch(&self) -> Result<Bytes, JwksFetchError>;
}

#[async_trait]
impl<F, R> JwksSource for F
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Result<Bytes, JwksFetchError>> + Send,
{
    async fn fetch(&self) -> Result<Bytes, JwksFetchError> {
        self().await
    }
}

/// A key set could not be fetched.
#[derive(Debug, Error)]
#[error("the key set could not be fetched")]
pub struct JwksFetchError {
    #[source]
    source: BoxError,
}

impl JwksFetchError {
    /// Wraps what went wrong.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self {
            source: source.into(),
        }
    }
}
