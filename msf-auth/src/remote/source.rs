//! Who gets the document.

use std::{future::Future, time::Duration};

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
/// use msf_auth::{JwksDocument, JwksFetchError, JwksSource, RemoteKeys};
///
/// struct Row(i64);
///
/// #[async_trait]
/// impl JwksSource for Row {
///     async fn fetch(&self) -> Result<JwksDocument, JwksFetchError> {
///         Err(JwksFetchError::new(format!("there is no row {}", self.0)))
///     }
/// }
///
/// let keys = RemoteKeys::new(Row(7));
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
    async fn fetch(&self) -> Result<JwksDocument, JwksFetchError>;
}

#[async_trait]
impl<F, R, D> JwksSource for F
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Result<D, JwksFetchError>> + Send,
    D: Into<JwksDocument>,
{
    async fn fetch(&self) -> Result<JwksDocument, JwksFetchError> {
        self().await.map(Into::into)
    }
}

/// The text of a JWK set, and for how long its source says that it may be used.
///
/// ```
/// use std::time::Duration;
/// use msf_auth::JwksDocument;
///
/// let document = JwksDocument::from(r#"{"keys":[]}"#.to_owned()).fresh_for(Duration::from_secs(600));
/// assert_eq!(document.bytes(), br#"{"keys":[]}"#);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct JwksDocument {
    bytes: Bytes,
    pub(super) fresh_for: Option<Duration>,
}

impl JwksDocument {
    /// How long it may be used before it is fetched again; at least 1 s.
    pub const fn fresh_for(mut self, fresh_for: Duration) -> Self {
        self.fresh_for = Some(fresh_for);
        self
    }

    /// The text.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Bytes> for JwksDocument {
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes,
            fresh_for: None,
        }
    }
}

impl From<Vec<u8>> for JwksDocument {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for JwksDocument {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
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
