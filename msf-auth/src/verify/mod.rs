//! Strict verification of signed access tokens (RFC 7519, RFC 8725, RFC 9068).
//!
//! A [`Verifier`] knows which issuers it trusts, which keys and algorithms are theirs and which audience it
//! is. Nothing of that can be left out: [`VerifierBuilder::build`] fails instead. Nothing in a token chooses
//! an address, a file or an algorithm.
//!
//! Order of the checks: size, three segments, header (no extensions, a known algorithm, key id), form of the other
//! segments, claims (types, no member twice), issuer, what it may send (keys in the header, type, algorithm), key,
//! algorithm of the key, signature, the marks of an access token, audience, times, a key that it is bound to, kind of
//! subject. The issuer has to be read before the signature is
//! checked, since it says whose keys count; an issuer that is not trusted ends there. Last comes what was
//! [taken back](crate::revocation).
//!
//! With a [cache](crate::cache) a token that was verified a moment ago is found again by the hash of its text, and
//! what may have changed since is looked at: the time, the key, and what was taken back.
//!
//! # Times
//!
//! `exp` is required; `nbf` and `iat` are checked where they are. The leeway of 30 s (default) absorbs clocks
//! that differ. A token whose life is above 24 h (default) is refused, since such tokens get stolen.
//!
//! # Cancel safety
//!
//! A token whose key is known is verified, and counted, in the call. One that waits for keys is counted when its
//! [`Verify`] future ends; dropped before that it counts nothing and leaves the fetch to those who also wait.

mod attempt;
mod builder;
mod check;
mod decoded;
mod error;
mod future;
mod issuer;
mod kept;
mod metrics;
mod namers;
mod provider;
mod verifier;
#[cfg(feature = "oauth-client")]
mod vouched_for;

#[cfg(feature = "oauth-client")]
pub(crate) use self::vouched_for::VouchedFor;
pub use self::{
    builder::{InvalidVerifier, VerifierBuilder},
    error::{Reason, VerifyError},
    future::Verify,
    issuer::{BoundTokens, HeaderPolicy, Keys, TrustedIssuer},
    provider::Provider,
    verifier::Verifier,
};
pub(crate) use self::{check::Times, future::Refresh, metrics::VERIFICATIONS, namers::Namers};
