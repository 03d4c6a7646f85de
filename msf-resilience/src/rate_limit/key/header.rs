//! Keys from one header.

use http::{Extensions, HeaderMap, HeaderName, header};

use super::{
    digest::{Digest, HashKey},
    source::KeySource,
    text::Text,
};

/// The keyed hash of a header, for API keys and tokens: the limiter neither keeps nor shows what it hashed.
///
/// Of a header that stands there twice the first counts, as it does for `HeaderMap::get`; whoever checks the value
/// must read the same one. Whatever its length, the key has 16 bytes. It allocates nothing.
///
/// ```
/// use http::Request;
/// use msf_resilience::rate_limit::key::{self, HashKey, HashedHeader};
///
/// let secret = HashKey::from_secret(b"32 random bytes from the secrets")?;
/// let key_of = key::by(HashedHeader::new("x-api-key".parse()?, secret));
///
/// let request = Request::builder().header("x-api-key", "s3cret").body(())?;
/// assert_eq!(key_of(&request), Some(secret.hash(b"s3cret")));
/// assert_eq!(key_of(&Request::new(())), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct HashedHeader {
    name: HeaderName,
    key: HashKey,
}

/// A header as it is, for what is no secret: a tenant, a version.
///
/// A value of more than 63 bytes, or one that is not UTF-8 or marked as sensitive, counts by its hash, see [`Text`]. Of
/// a header that stands there twice the first counts. It allocates nothing.
///
/// ```
/// use http::{Request, header};
/// use msf_resilience::rate_limit::key::{self, TextHeader};
///
/// let key_of = key::by(TextHeader::new("x-tenant".parse()?)?);
/// let request = Request::builder().header("x-tenant", "acme").body(())?;
/// assert_eq!(key_of(&request).unwrap().as_str(), "acme");
///
/// let error = TextHeader::new(header::AUTHORIZATION).unwrap_err();
/// assert_eq!(error.0, header::AUTHORIZATION);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TextHeader {
    name: HeaderName,
}

/// A header that carries secrets, which a key in clear would keep and show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` carries secrets; use `HashedHeader`")]
#[non_exhaustive]
pub struct SecretHeader(pub HeaderName);

impl HashedHeader {
    /// Hashes this header with this key.
    #[must_use]
    pub const fn new(name: HeaderName, key: HashKey) -> Self {
        Self { name, key }
    }
}

impl TextHeader {
    /// Takes this header as it is.
    ///
    /// # Errors
    ///
    /// [`SecretHeader`] for one that is known to carry secrets.
    pub fn new(name: HeaderName) -> Result<Self, SecretHeader> {
        let carries_secrets = [
            header::AUTHORIZATION,
            header::COOKIE,
            header::PROXY_AUTHORIZATION,
        ]
        .contains(&name)
            || ["api-key", "apikey", "auth-token", "secret"]
                .iter()
                .any(|part| name.as_str().contains(part));
        if carries_secrets {
            return Err(SecretHeader(name));
        }
        Ok(Self { name })
    }
}

impl KeySource for HashedHeader {
    type Key = Digest;

    fn key(&self, headers: &HeaderMap, _: &Extensions) -> Option<Digest> {
        let value = headers.get(&self.name)?;
        Some(self.key.hash(value.as_bytes()))
    }
}

impl KeySource for TextHeader {
    type Key = Text;

    fn key(&self, headers: &HeaderMap, _: &Extensions) -> Option<Text> {
        let value = headers.get(&self.name)?;
        Some(if value.is_sensitive() {
            Text::hashed(value.as_bytes())
        } else {
            Text::from_bytes(value.as_bytes())
        })
    }
}
