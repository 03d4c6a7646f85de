//! The crate from outside.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod api_keys;
mod attacks;
mod conformance;
mod external;
mod interop;
mod jws;
mod key_file;
mod provider;
mod remote;
mod rfc;
mod support;
mod wycheproof;

#[cfg(feature = "axum")]
mod router;

mod layer;

#[cfg(feature = "password")]
mod password;

#[cfg(feature = "password")]
mod secrets;

#[cfg(feature = "jwks")]
mod http;

#[cfg(all(feature = "sqlite", unix))]
mod refresh_crash;
