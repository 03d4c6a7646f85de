//! Key sets over HTTPS, at a known address or at the one that the issuer names (`OpenID` Connect Discovery).

mod builder;
mod freshness;
mod metadata;
mod source;

pub use self::{builder::HttpJwksBuilder, metadata::DiscoveryError, source::HttpJwks};
