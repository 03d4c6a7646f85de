//! The crate from outside.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod api_keys;
mod attacks;
mod conformance;
mod external;
mod file_keys;
mod interop;
#[cfg(feature = "oauth-client")]
mod introspect;
#[cfg(feature = "jwks")]
mod jwks;
mod jws;
mod key_file;
mod key_ring;
mod provider;
mod remote;
mod rfc;
mod support;
#[cfg(feature = "oauth-client")]
mod token_client;
mod wycheproof;

#[cfg(feature = "axum")]
mod router;

mod layer;

#[cfg(feature = "oauth")]
mod oauth;

#[cfg(feature = "password")]
mod password;

#[cfg(feature = "password")]
mod secrets;

#[cfg(feature = "jwks")]
mod http;

#[cfg(all(feature = "sqlite", unix))]
mod refresh_crash;
