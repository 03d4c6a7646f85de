//! Identity inside: short tokens that a gateway mints for one service.
//!
//! A token from outside is good at every service of its audience, for minutes or hours. It should not travel further
//! than the edge: whoever reads it in the log of one service could use it at all the others. So an edge verifies it once
//! and mints a token of its own, for the one service that is called and for 30 seconds, with what that service has to
//! know: who calls, through whom, with which scopes, for which tenant.
//!
//! ```
//! use msf_auth::{
//!     InternalTokens, SigningKey, TokenIssuer, TrustedIssuer, Verifier, internal::InternalCall,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! # let users = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
//! # let trusted = TrustedIssuer::new("https://user.shop", users.jwks()).audience("shop");
//! # let edge = Verifier::builder().issuer(trusted).build()?;
//! # let token = users.token("7").audience("shop").scopes(["orders:read", "users:self"]).sign()?;
//! // At the edge, once a request has been let through.
//! let gateway = TokenIssuer::new("https://gateway.shop", SigningKey::generate_ed25519()?);
//! let internal = InternalTokens::new(gateway.clone());
//! let caller = edge.verify(&token).await?;
//! let call = InternalCall::to("order").scopes(&["orders:read"]);
//! let authorization = internal.bearer(&caller, &call)?;
//!
//! // In the service.
//! let trusted = TrustedIssuer::internal("https://gateway.shop", gateway.jwks()).audience("order");
//! let verifier = Verifier::builder().issuer(trusted).build()?;
//! let token = authorization.to_str()?.trim_start_matches("Bearer ");
//! let caller = verifier.verify(token).await?;
//! assert_eq!((caller.subject(), caller.subject_issuer()), ("7", "https://user.shop"));
//! assert_eq!(caller.scopes().collect::<Vec<_>>(), ["orders:read"]);
//! assert_eq!(caller.actor().and_then(|edge| edge.subject()), Some("https://gateway.shop"));
//!
//! // From outside it is worth nothing: its type is another one.
//! assert!(edge.verify(token).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # What is in it
//!
//! | claim | |
//! |---|---|
//! | `typ` in the header | `msf-int+jwt`; no verifier takes it unless it was told so by [`TrustedIssuer::internal`](crate::TrustedIssuer::internal) |
//! | `iss`, `aud` | the gateway; the one service |
//! | `sub`, `msf_kind`, `client_id` | the caller's |
//! | `sub_iss` | who named the caller so: [`Principal::subject_issuer`](crate::Principal::subject_issuer); two issuers may each have a `7`, and [`TrustedIssuer::users_of`](crate::TrustedIssuer::users_of) says whose a service takes |
//! | `scope` | those of the caller that the call names, or all of them |
//! | `act` | the gateway, and within it whoever acted before (RFC 8693 section 4.1) |
//! | `exp` | 30 s from now, and never after the caller's token ends |
//! | `sid`, `auth_time`, `acr`, `amr` | the caller's, for policies inside |
//! | `tenant` | the caller's, whatever the claim is called outside |
//! | claims named by [`carry`](InternalTokensBuilder::carry) | the caller's |
//! | `txn` | the id of the request (RFC 8417), if the call names it |
//!
//! # Cost
//!
//! A signature takes tens of microseconds, so the same token is given for the same caller, service and scopes for 10 s.
//! A call that names its request has a token of its own, and pays for it.

mod builder;
mod call;
mod digest;
mod error;
mod kept;
mod metrics;
#[cfg(test)]
mod tests;
mod tokens;

pub(crate) use self::metrics::TOKENS;
pub use self::{
    builder::InternalTokensBuilder,
    call::InternalCall,
    error::{InternalTokenError, InvalidInternalTokens},
    tokens::InternalTokens,
};

/// The type in the header.
pub(crate) const TOKEN_TYPE: &str = "msf-int+jwt";
/// The claim that says who named the subject.
pub(crate) const SUBJECT_ISSUER_CLAIM: &str = "sub_iss";
