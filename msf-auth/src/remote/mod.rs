//! Keys that are fetched, and fetched again, so that an issuer can change them without a gap.
//!
//! [`RemoteKeys`] keeps the last good key set. It fetches in the background when a token arrives and the set is older
//! than its source says (five minutes when it says nothing), and when a token names a key that is not in it, in which
//! case the token waits for at most 500 ms. What is certain whatever callers and issuers do:
//!
//! - at most one fetch runs at a time, and at most 256 tokens wait for it;
//! - unknown key ids cost at most two fetches at once and one each ten seconds after that, and valid tokens
//!   never consume that budget;
//! - a fetch that fails, times out (2 s), is above 512 KiB or has no usable key changes nothing; the next one
//!   waits with a growing back-off (1 s to 60 s);
//! - keys that could not be fetched again for 24 h are no longer used, and tokens are answered with 503
//!   instead of 401, since nothing is known about them;
//! - a key that the issuer takes out of its set is refused as soon as the set is fetched.
//!
//! Fetching on demand means that a process that was idle may use an old set for its first token.
//! [`RemoteKeys::keep_fresh`] fetches without being asked.
//!
//! ```
//! use bytes::Bytes;
//! use msf_auth::{JwksFetchError, RemoteKeys, SigningKey, TokenIssuer, TrustedIssuer, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
//! let document = Bytes::from(issuer.jwks().to_json());
//! let keys = RemoteKeys::new(move || {
//!     let document = document.clone();
//!     async move { Ok::<_, JwksFetchError>(document) }
//! });
//!
//! let trusted = TrustedIssuer::new("https://user.shop", keys).audience("shop");
//! let verifier = Verifier::builder().issuer(trusted).build()?;
//! let token = issuer.token("7").audience("shop").sign()?;
//! assert_eq!(verifier.verify(&token).await?.subject(), "7");
//! # Ok(())
//! # }
//! ```
//!
//! # Cancel safety
//!
//! A fetch belongs to no waiter: dropping one, or all, lets it finish and serve whoever asks next.

mod builder;
mod fetch;
mod file;
mod flight;
#[cfg(feature = "jwks")]
mod http;
mod keys;
mod metrics;
mod schedule;
mod source;

#[cfg(feature = "jwks")]
pub use self::http::{DiscoveryError, HttpJwks, HttpJwksBuilder};
pub(crate) use self::metrics::{AGE, KEYS, REFRESHES};
pub use self::{
    builder::{InvalidRemoteKeys, RemoteKeysBuilder},
    file::FileJwks,
    keys::{KeysNotReady, RemoteKeys},
    source::{JwksDocument, JwksFetchError, JwksSource},
};
