//! An issuer of our own.

use std::{fmt, path::Path, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use msf_core::clock::WallClock;

use super::{KeyFileError, ServiceTokens, TokenBuilder, key_file};
use crate::keys::{KeySet, SigningKey};

/// Issues signed access tokens (RFC 9068) in one name and with one key. Cloning shares the key.
///
/// See the [module documentation](super) for keys on disk.
///
/// ```
/// use std::time::Duration;
/// use msf_auth::{SigningKey, TokenIssuer};
///
/// let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
/// let token = issuer
///     .token("7")
///     .audience("shop")
///     .scopes(["orders:read", "orders:write"])
///     .ttl(Duration::from_secs(900))
///     .sign()?;
/// assert_eq!(token.split('.').count(), 3);
/// # Ok::<(), msf_core::BoxError>(())
/// ```
#[derive(Clone)]
pub struct TokenIssuer(Arc<Shared>);

struct Shared {
    issuer: Box<str>,
    key: SigningKey,
    jwks: KeySet,
    jwks_json: Bytes,
    clock: WallClock,
}

impl TokenIssuer {
    /// An issuer with a key; `issuer` is the exact text of `iss`, usually a URL.
    #[must_use]
    pub fn new(issuer: impl Into<Box<str>>, key: SigningKey) -> Self {
        Self::assemble(issuer.into(), key, WallClock::system())
    }

    /// An issuer with the Ed25519 key of a directory, which is made when there is none.
    ///
    /// It reads and writes files, so it belongs to the start of a process. A P-256 key that was put there is used
    /// as well.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] for a file that is unreadable, broken or open to others; see the
    /// [module documentation](super).
    pub fn open(dir: impl AsRef<Path>, issuer: impl Into<Box<str>>) -> Result<Self, KeyFileError> {
        let generate = || SigningKey::generate_ed25519().map_err(KeyFileError::Generate);
        let key = key_file::open(dir.as_ref(), generate)?;
        Ok(Self::new(issuer, key))
    }

    fn assemble(issuer: Box<str>, key: SigningKey, clock: WallClock) -> Self {
        let jwks = KeySet::new([key.verifying_key()]).expect("one key has no equal");
        let jwks_json = Bytes::from(jwks.to_json());
        Self(Arc::new(Shared {
            issuer,
            key,
            jwks,
            jwks_json,
            clock,
        }))
    }

    /// The same issuer by another clock; for tests.
    #[must_use]
    pub fn with_clock(self, clock: WallClock) -> Self {
        Self::assemble(self.0.issuer.clone(), self.0.key.clone(), clock)
    }

    /// Begins a token for a subject.
    pub fn token<'a>(&'a self, subject: &'a str) -> TokenBuilder<'a> {
        TokenBuilder::new(self, subject)
    }

    /// Tokens with which the service `service` calls `audience`: 5 min, renewed after 4.
    #[must_use]
    pub fn service_tokens(
        &self,
        service: impl Into<Box<str>>,
        audience: impl Into<Box<str>>,
    ) -> ServiceTokens {
        ServiceTokens::new(self.clone(), service.into(), audience.into())
    }

    /// The keys with which others verify.
    #[must_use]
    pub fn jwks(&self) -> KeySet {
        self.0.jwks.clone()
    }

    /// The answer to `GET /.well-known/jwks.json`, cacheable for five minutes.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use msf_auth::{KeySet, SigningKey, TokenIssuer};
    ///
    /// let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
    /// let response = issuer.jwks_response::<Bytes>();
    /// assert_eq!(response.headers()["content-type"], "application/jwk-set+json");
    /// assert!(KeySet::parse(response.body())?.contains(issuer.key_id()));
    /// # Ok::<(), msf_core::BoxError>(())
    /// ```
    #[must_use]
    pub fn jwks_response<B: From<Bytes>>(&self) -> Response<B> {
        let mut response = Response::new(self.0.jwks_json.clone().into());
        let headers = response.headers_mut();
        // RFC 7517 section 8.5.2.
        let media_type = HeaderValue::from_static("application/jwk-set+json");
        headers.insert(header::CONTENT_TYPE, media_type);
        let caching = HeaderValue::from_static("public, max-age=300");
        headers.insert(header::CACHE_CONTROL, caching);
        response
    }

    /// The text of `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The id of the key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.0.key.id()
    }

    pub(super) fn key(&self) -> &SigningKey {
        &self.0.key
    }

    pub(super) fn clock(&self) -> WallClock {
        self.0.clock
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer")
            .field("issuer", &self.issuer())
            .field("key", &self.0.key)
            .finish_non_exhaustive()
    }
}
