//! Tokens that are taken back before they end.
//!
//! A token says until when it is good, and nobody asks its issuer again. Short lives keep that harmless. For what must
//! end at once (a logout, a stolen phone, a signing key that leaked) a process has a list of [`Revocations`] that
//! its verifiers look at. Others fill it through a [`RevocationFeed`], or a handler does with [`Revocations::apply`].
//!
//! ```
//! use std::time::SystemTime;
//!
//! use msf_auth::{
//!     Reason, Revocation, Revocations, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
//! let trusted = TrustedIssuer::new("https://user.shop", issuer.jwks()).audience("shop");
//! let revocations = Revocations::new();
//! let verifier = Verifier::builder()
//!     .issuer(trusted)
//!     .revocations(revocations.clone())
//!     .build()?;
//!
//! let token = issuer.token("7").audience("shop").sign()?;
//! let caller = verifier.verify(&token).await?;
//! revocations.apply(&Revocation::token(&caller, SystemTime::now()));
//! assert_eq!(verifier.verify(&token).await.unwrap_err().reason(), Reason::Revoked);
//! # Ok(())
//! # }
//! ```
//!
//! # What can be taken back
//!
//! | what | tokens that it meets | remembered |
//! |---|---|---|
//! | [`Token`](Revocation::Token) | the one with this `jti` | until it expires |
//! | [`Session`](Revocation::Session) | all with this `sid`, later ones too | for the longest life of a token |
//! | [`Subject`](Revocation::Subject) | all of a `sub` that were issued until a moment | for the longest life of a token |
//! | [`Issuer`](Revocation::Issuer) | all of an `iss` that were issued until a moment | for the longest life of a token |
//! | [`All`](Revocation::All) | all that were issued until a moment | for ever |
//!
//! All but the last are in tables of at most 100 000 marks each. When one is full even of what still counts, nothing is
//! forgotten: instead of the token or session its subject is taken back until now, instead of a subject its issuer, and
//! at last everything. Users then have to log in again, which is bad; a token that was taken back and works is worse.
//! The counter with `result="widened"` and a warning in the log tell it.
//!
//! # What it costs
//!
//! A verification looks into the tables that are not empty, without a lock. A token that the
//! [cache](crate::cache) has is looked for again only when something was taken back since.
//!
//! # A feed that is silent
//!
//! While it is, tokens may have been taken back that are not known here. [`WhenBehind`] says what verifiers do: by
//! default they go on, keep tokens for 5 s, and the gauge tells. A list that follows no feed is never behind.
//!
//! # Cancel safety
//!
//! Dropping the task of [`Revocations::follow`] loses nothing that was applied; the list counts as behind then.
//!
//! # Metrics
//!
//! `msf_auth_revocations_total{kind, result}`, `msf_auth_revocation_marks{kind}` and
//! `msf_auth_revocation_feed_behind`.

mod builder;
mod event;
mod feed;
mod metrics;
mod revocations;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use self::metrics::{APPLIED, BEHIND, MARKS};
pub use self::{
    builder::{RevocationsBuilder, WhenBehind},
    event::Revocation,
    feed::{RevocationFeed, RevocationFeedError},
    revocations::{Applied, Revocations},
};
