//! Whose request it is: sources of keys for the layers.
//!
//! A layer takes any closure from a request to a key. These sources are the ones that are easy to get wrong; [`by`]
//! makes a closure of one, and [`by_text`] one for a [shared](super::shared) limit:
//!
//! | source | key | for |
//! |---|---|---|
//! | [`ClientIp`] | the client's address, IPv6 by its /64 | anonymous callers, also behind trusted proxies |
//! | [`HashedHeader`] | a keyed hash of a header | API keys and tokens, which must not be kept |
//! | [`TextHeader`] | a header as it is, up to 63 bytes | tenants, versions |
//! | [`Principal`] | what a closure finds in the extensions | who was authenticated |
//! | [`Route`] | the template of the matched route | a limit per route |
//! | [`Everyone`] | `()` | one limit for all together |
//!
//! A tuple of sources is a source whose key is the tuple of their keys: `(ClientIp, Route)` limits each client on
//! each route. It has a key only if all of them have.
//!
//! # A request without a key is not limited
//!
//! A source that finds nothing gives `None`, and the layers let such a request through uncounted. Where the caller
//! decides whether there is something to find - it may simply not send the header - end with a source that always
//! answers: [`or`](KeySource::or).
//!
//! ```
//! use http::Request;
//! use msf_core::server;
//! use msf_resilience::rate_limit::key::{self, ClientIp, Either, Everyone, HashKey, HashedHeader, KeySource};
//!
//! let api_key = HashedHeader::new("x-api-key".parse()?, HashKey::random());
//! let source = api_key.or(ClientIp::new(server::peer)).or(Everyone);
//! let key_of = key::by(source);
//!
//! let with_key = Request::builder().header("x-api-key", "s3cret").body(())?;
//! assert!(matches!(key_of(&with_key), Some(Either::First(Either::First(_)))));
//! // Without the header and without a known peer, the request still counts against somebody.
//! assert_eq!(key_of(&Request::new(())), Some(Either::Second(())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Keys that callers choose
//!
//! Before authentication a header is what the caller wants it to be: with a new value in each request it is a new
//! caller each time. Limit by such a header only behind the layer that has checked it, or together with a limit by
//! address.

mod client_ip;
mod combine;
mod digest;
mod header;
mod principal;
mod route;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod write;

#[cfg(feature = "redis")]
pub(super) use self::digest::unkeyed;
pub use self::{
    client_ip::{ClientIp, InvalidPrefix},
    combine::{Either, Or},
    digest::{Digest, HashKey, InvalidHashKey},
    header::{HashedHeader, SecretHeader, TextHeader},
    principal::Principal,
    route::Route,
    source::{Everyone, KeySource, by, by_text},
    text::Text,
    write::WriteKey,
};
