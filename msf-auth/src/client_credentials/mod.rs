//! Tokens for our own calls, fetched from an authorization server (RFC 6749 section 4.4).
//!
//! A [`TokenClient`] keeps one token for one audience. Whoever calls takes what is kept, which costs a reference count;
//! behind it the token is fetched again when about three quarters of its life are over. What is certain whatever the
//! server does:
//!
//! - at most one request runs at a time, however many calls wait for the first token;
//! - a request that fails, takes more than 2 s or is answered with more than 64 KiB changes nothing: the old token is
//!   used until shortly before it ends, and the next request waits with a growing back-off (1 s to 60 s);
//! - a token that has ended, by either clock, is never sent;
//! - neither the secret of the client nor a token is ever part of an error, a log line or a metric.
//!
//! [`BearerSource::bearer`](crate::BearerSource::bearer) does not wait: before the first token is there it fails, and
//! the fetch begins. [`TokenClient::await_ready`] waits for it, at the start of a program or in a test, and
//! [`TokenClient::keep_fresh`] fetches without being asked.
//!
//! ```
//! use std::time::Duration;
//! use msf_auth::{BearerSource, TokenClient};
//! use msf_core::config::Secret;
//! # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! # let server = MockServer::start().await;
//! # let answer = serde_json::json!({ "access_token": "abc", "token_type": "Bearer", "expires_in": 300 });
//! # let answer = ResponseTemplate::new(200).set_body_json(answer);
//! # Mock::given(path("/token")).respond_with(answer).mount(&server).await;
//! # let endpoint = format!("{}/token", server.uri());
//! let tokens = TokenClient::builder(&endpoint)
//!     .client("order", Secret::new("a secret of the client".to_owned()))
//!     .scopes(["stock:reserve"])
//!     .audience("inventory")
//!     .allow_http_loopback()
//!     .build()?;
//!
//! tokens.await_ready(Duration::from_secs(5)).await?;
//! assert_eq!(tokens.bearer()?, "Bearer abc");
//! # Ok(())
//! # }
//! ```
//!
//! # Cancel safety
//!
//! A request belongs to no waiter: dropping one, or all, lets it finish and serve whoever asks next.

mod answer;
mod builder;
mod client;
mod metrics;
mod renewal;
mod request;

pub(crate) use self::metrics::REQUESTS;
pub use self::{
    answer::TokenRequestError,
    builder::{InvalidTokenClient, TokenClientBuilder},
    client::{TokenClient, TokenNotReady},
};
