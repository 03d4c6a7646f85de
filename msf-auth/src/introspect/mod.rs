//! Opaque tokens, asked about at their issuer (RFC 7662).
//!
//! A token that is no JWT says nothing by itself; an [`Introspector`] asks the issuer what it stands for. What the issuer
//! says goes through the checks that the claims of a JWT go through (issuer, audience, times, kind of subject), and gives
//! a [`Principal`](crate::Principal). What is certain whatever callers and issuers do:
//!
//! - what cannot be a bearer token (its characters, more than 8 KiB) costs no request;
//! - one token costs one request at a time, however many calls bring it;
//! - at most 64 requests run at once; a call above that is answered with 503 at once, not queued;
//! - an answer counts for 10 s (at most 30 s, and never longer than the token), a refusal for 5 s at most;
//! - answers are kept by the SHA-256 of the whole token, never the token itself, and in 16 MiB at most. Refusals are kept
//!   apart, so that a flood of bad tokens displaces no good one;
//! - an issuer that is away, or answers nonsense, lets nobody in: nothing is known about a token then, so the answer is
//!   503 and not 401, and it is not kept.
//!
//! A token that was taken back counts until its answer has aged, 10 s by default. When that is too long, or each call
//! may not cost the issuer a request, take JWTs and [revocations](crate::revocation) instead.
//!
//! ```
//! use msf_auth::{Introspector, KeySet, Reason, TrustedIssuer};
//! use msf_core::config::Secret;
//! # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! # let server = MockServer::start().await;
//! # let answer = serde_json::json!({
//! #     "active": true, "iss": "https://id.example", "aud": "shop", "sub": "7", "exp": 4_000_000_000_u64,
//! # });
//! # let answer = ResponseTemplate::new(200).set_body_json(answer);
//! # Mock::given(path("/introspect")).respond_with(answer).mount(&server).await;
//! # let endpoint = format!("{}/introspect", server.uri());
//! # let far = std::time::Duration::from_secs(100 * 365 * 86_400);
//! // No keys: the issuer vouches for its claims itself.
//! let issuer = TrustedIssuer::new("https://id.example", KeySet::default()).audience("shop");
//! let introspector = Introspector::builder(&endpoint, issuer)
//!     .client("shop", Secret::new("a secret of the client".to_owned()))
//!     .allow_http_loopback()
//! #   .lifetime_max(far)
//!     .build()?;
//!
//! assert_eq!(introspector.introspect("opaque").await?.subject(), "7");
//! assert_eq!(introspector.introspect("no token").await.unwrap_err().reason(), Reason::Form);
//! # Ok(())
//! # }
//! ```
//!
//! # Cancel safety
//!
//! A request belongs to no call: dropping one, or all, lets it finish, and its answer is kept for who asks next.

mod answer;
mod builder;
mod cache;
mod introspector;
mod metrics;
mod request;

pub(crate) use self::metrics::INTROSPECTIONS;
pub use self::{
    builder::{IntrospectorBuilder, InvalidIntrospector},
    introspector::Introspector,
};
