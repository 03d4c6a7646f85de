//! The crate from outside.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod attacks;
mod interop;
mod jws;
mod key_file;
mod provider;
mod remote;
mod support;

#[cfg(feature = "axum")]
mod router;

mod layer;

#[cfg(feature = "password")]
mod password;

#[cfg(feature = "jwks")]
mod http;
