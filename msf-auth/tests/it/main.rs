//! The crate from outside.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod attacks;
mod file_keys;
mod interop;
#[cfg(feature = "oauth-client")]
mod introspect;
#[cfg(feature = "jwks")]
mod jwks;
mod jws;
mod key_file;
mod provider;
mod remote;
mod support;
#[cfg(feature = "oauth-client")]
mod token_client;

#[cfg(feature = "axum")]
mod router;

mod layer;

#[cfg(feature = "password")]
mod password;

#[cfg(feature = "jwks")]
mod http;
