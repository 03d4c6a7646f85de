//! Tokens that were verified a moment ago are not verified again.
//!
//! A signature costs 15 to 50 µs, to find a token again less than 1 µs. Verifiers keep nothing unless
//! [`VerifierBuilder::cache`](crate::VerifierBuilder::cache) says so: what is kept are the claims of callers, in memory.
//!
//! ```
//! use std::sync::Arc;
//!
//! use msf_auth::{SigningKey, TokenCache, TokenIssuer, TrustedIssuer, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
//! let trusted = TrustedIssuer::new("https://user.shop", issuer.jwks()).audience("shop");
//! let verifier = Verifier::builder()
//!     .issuer(trusted)
//!     .cache(TokenCache::bytes(16 << 20))
//!     .build()?;
//!
//! let token = issuer.token("7").audience("shop").sign()?;
//! let (first, second) = (verifier.verify(&token).await?, verifier.verify(&token).await?);
//! assert!(Arc::ptr_eq(&first, &second));
//! # Ok(())
//! # }
//! ```
//!
//! # What is certain
//!
//! 1. A cache belongs to one verifier, so to one set of issuers, audiences and limits; it cannot be shared.
//! 2. A token is found by the SHA-256 of all of its text, never by a part of it or by its `jti`. The text itself is
//!    not kept.
//! 3. Only what was accepted in full is kept; nothing about tokens that were refused.
//! 4. Times are compared on every hit: the wall clock with `exp`, `nbf` and `iat`, the monotonic one with the 60 s
//!    for which a token is kept at most. A clock that is set back makes none live longer.
//! 5. A hit counts only if the key set is the one that the token was verified with, or if the same key, with the same
//!    bytes and algorithm, still is in it under the same id.
//! 6. A revocation ends hits at once; see [`revocation`](crate::revocation), also for a feed that is silent.
//! 7. The bytes are bounded, with what claims take when they are all asked for; an entry above 16 KiB is not kept. Tokens
//!    that come once do not drive out those that come often. HMAC tokens are not kept, since
//!    verifying them costs as much as finding them.
//! 8. What a server says about an opaque token is not kept here, but under rules of its own in `introspect`.
//! 9. Hits, misses, what was dropped and why, and the bytes are counted.
//!
//! # When not to use it
//!
//! For HMAC tokens, which pass it by, and where each token is seen once, as by a gateway in front of short-lived
//! internal tokens.
//!
//! # Cancel safety
//!
//! Everything happens within calls that do not wait. What is read and written is behind short locks of the parts of
//! the map; who writes and finds one taken goes on without keeping the token.
//!
//! # Metrics
//!
//! `msf_auth_token_cache_lookups_total{result}`, `msf_auth_token_cache_evictions_total{reason}` and
//! `msf_auth_token_cache_bytes`.

mod lease;
mod metrics;
mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use self::{
    metrics::{BYTES, EVICTIONS, Eviction, LOOKUPS},
    store::{Entry, Store, TokenHash},
};

/// How a verifier keeps the tokens that it verified. Given to
/// [`VerifierBuilder::cache`](crate::VerifierBuilder::cache).
///
/// It is a description: each verifier that is built with it has a cache of its own, so that what one accepts is
/// never taken for what another would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct TokenCache {
    pub(crate) bytes_max: usize,
    pub(crate) ttl: Duration,
}

/// Larger entries are not kept.
pub(crate) const ENTRY_BYTES_MAX: usize = 16 * 1_024;
/// A revoked key, a clock that jumps, a feed that is silent: what goes wrong ends after this at the latest.
const TTL_MAX: Duration = Duration::from_secs(60);

impl TokenCache {
    /// A cache of so many bytes.
    pub const fn bytes(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            ttl: TTL_MAX,
        }
    }

    /// How long a token is not verified again; default 60 s, which is also the most.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl.min(TTL_MAX);
        self
    }
}

/// 16 MiB: about ten thousand callers with usual claims.
impl Default for TokenCache {
    fn default() -> Self {
        Self::bytes(16 << 20)
    }
}
