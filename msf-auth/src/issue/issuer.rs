//! An issuer of our own.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use arc_swap::Guard;
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use msf_core::clock::WallClock;

use super::{
    KeyFileError, KeyRing, KeyRingError, RotationPolicy, ServiceTokens, TokenBuilder,
    builder::TTL_MAX,
    key_file,
    ring::{self, Snapshot},
};
use crate::{
    keys::{KeySet, SigningKey},
    remote::{JwksDocument, JwksFetchError, JwksSource},
};

/// Issues signed access tokens (RFC 9068) in one name, with one key or those of a [`KeyRing`]. Cloning shares them.
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

/// How long the one key of an issuer may be cached.
const JWKS_MAX_AGE_S: u64 = 300;
/// How long a verifier of the same process goes on with the keys of a ring.
const OWN_MAX_AGE: Duration = Duration::from_secs(1);

struct Shared {
    issuer: Box<str>,
    keys: Keys,
    clock: WallClock,
}

enum Keys {
    One(Arc<Snapshot>),
    Ring(KeyRing),
}

impl TokenIssuer {
    /// An issuer by the text of its `iss` and one key.
    pub fn new(issuer: impl Into<Box<str>>, key: SigningKey) -> Self {
        let keys = Keys::One(Arc::new(Snapshot::of_one(key)));
        Self::assemble(issuer.into(), keys, WallClock::system())
    }

    /// An issuer by the text of its `iss` and keys that take turns. Its clock is that of the ring.
    pub fn with_ring(issuer: impl Into<Box<str>>, ring: KeyRing) -> Self {
        let clock = ring.clock();
        Self::assemble(issuer.into(), Keys::Ring(ring), clock)
    }

    /// An issuer with the Ed25519 key of a directory, which is made when there is none.
    ///
    /// It reads and writes files, so it belongs to the start of a process. A P-256 key that was put there is used
    /// as well. Of a directory with a [`KeyRing`] it uses the keys as they are now, and never looks again: a process
    /// that outlives a rotation takes [`with_ring`](Self::with_ring).
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] for a file that is unreadable, broken or open to others; see the
    /// [module documentation](super).
    pub fn open(dir: impl AsRef<Path>, issuer: impl Into<Box<str>>) -> Result<Self, KeyFileError> {
        let dir = dir.as_ref();
        if !has_ring(dir)? {
            let generate = || SigningKey::generate_ed25519().map_err(KeyFileError::Generate);
            let key = key_file::open(dir, generate)?;
            // Otherwise another process made a ring of this key, or gave the ring another one first.
            if !has_ring(dir)? {
                return Ok(Self::new(issuer, key));
            }
        }
        let ring = KeyRing::load(dir).map_err(of_ring)?;
        Ok(Self::with_ring(issuer, ring))
    }

    fn assemble(issuer: Box<str>, keys: Keys, clock: WallClock) -> Self {
        Self(Arc::new(Shared {
            issuer,
            keys,
            clock,
        }))
    }

    /// The same issuer by another clock; for tests.
    #[must_use]
    pub fn with_clock(self, clock: WallClock) -> Self {
        let keys = match &self.0.keys {
            Keys::One(snapshot) => Keys::One(snapshot.clone()),
            Keys::Ring(ring) => Keys::Ring(ring.clone()),
        };
        Self::assemble(self.0.issuer.clone(), keys, clock)
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

    /// The keys with which others verify, as they are now: keys that take turns are followed by
    /// [`RemoteKeys`](crate::RemoteKeys) of the issuer.
    #[must_use]
    pub fn jwks(&self) -> KeySet {
        self.snapshot().jwks.clone()
    }

    /// The answer to `GET /.well-known/jwks.json`, cacheable for five minutes or what the
    /// [ring](RotationPolicy::jwks_max_age) says.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use msf_auth::{KeySet, SigningKey, TokenIssuer};
    ///
    /// let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
    /// let response = issuer.jwks_response::<Bytes>();
    /// assert_eq!(response.headers()["content-type"], "application/jwk-set+json");
    /// assert!(KeySet::parse(response.body())?.contains(&issuer.key_id()));
    /// # Ok::<(), msf_core::BoxError>(())
    /// ```
    #[must_use]
    pub fn jwks_response<B: From<Bytes>>(&self) -> Response<B> {
        let mut response = Response::new(self.snapshot().jwks_json.clone().into());
        let headers = response.headers_mut();
        // RFC 7517 section 8.5.2.
        let media_type = HeaderValue::from_static("application/jwk-set+json");
        headers.insert(header::CONTENT_TYPE, media_type);
        let max_age_s = self
            .policy()
            .map_or(JWKS_MAX_AGE_S, RotationPolicy::jwks_max_age_s);
        // Digits are a header value.
        if let Ok(caching) = HeaderValue::try_from(format!("public, max-age={max_age_s}")) {
            headers.insert(header::CACHE_CONTROL, caching);
        }
        response
    }

    /// The text of `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The id of the key that signs now.
    #[must_use]
    pub fn key_id(&self) -> Box<str> {
        self.snapshot().active.id().into()
    }

    /// What tokens are signed with now; never to be held across an await.
    pub(super) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        match &self.0.keys {
            Keys::One(snapshot) => Guard::from_inner(snapshot.clone()),
            Keys::Ring(ring) => ring.snapshot(),
        }
    }

    fn policy(&self) -> Option<&RotationPolicy> {
        match &self.0.keys {
            Keys::One(_) => None,
            Keys::Ring(ring) => Some(ring.policy()),
        }
    }

    /// The longest life that a token may have.
    pub(crate) fn ttl_max(&self) -> Duration {
        self.policy().map_or(TTL_MAX, RotationPolicy::ttl_max)
    }

    pub(crate) fn clock(&self) -> WallClock {
        self.0.clock
    }
}

fn has_ring(dir: &Path) -> Result<bool, KeyFileError> {
    ring::has_ring(dir).map_err(of_ring)
}

fn of_ring(error: KeyRingError) -> KeyFileError {
    KeyFileError::Ring(Box::new(error))
}

/// For a verifier of the same process: [`RemoteKeys`](crate::RemoteKeys) of an issuer know its new keys, and give up
/// revoked ones within a second or two, without any network.
///
/// ```
/// use msf_auth::{RemoteKeys, SigningKey, TokenIssuer, TrustedIssuer, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
/// let keys = RemoteKeys::new(issuer.clone());
/// let trusted = TrustedIssuer::new("https://user.shop", keys).audience("shop");
/// let verifier = Verifier::builder().issuer(trusted).build()?;
/// let token = issuer.token("7").audience("shop").sign()?;
/// assert!(verifier.verify(&token).await.is_ok());
/// # Ok(())
/// # }
/// ```
#[async_trait]
impl JwksSource for TokenIssuer {
    async fn fetch(&self) -> Result<JwksDocument, JwksFetchError> {
        let document = JwksDocument::from(self.snapshot().jwks_json.clone());
        Ok(document.fresh_for(OWN_MAX_AGE))
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer")
            .field("issuer", &self.issuer())
            .field("key", &self.snapshot().active)
            .finish_non_exhaustive()
    }
}
