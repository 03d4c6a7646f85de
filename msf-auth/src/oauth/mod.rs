//! The endpoints of an authorization server: tokens for services, refreshing, exchange, introspection, revocation.
//!
//! | path, below the issuer | what | RFC |
//! |---|---|---|
//! | `POST /oauth/token` | the grants `client_credentials`, `refresh_token` and token exchange | 6749, 8693 |
//! | `POST /oauth/revoke` | ends the session of a refresh token, and takes an access token back | 7009 |
//! | `POST /oauth/introspect` | what a token is good for, to those for whom it was meant | 7662 |
//! | `GET /.well-known/jwks.json` | the keys | 7517 |
//! | `GET /.well-known/openid-configuration`, `/.well-known/oauth-authorization-server` | where all of that is | 8414 |
//!
//! Users do not log in here: there is no authorization endpoint. Whoever checks the password issues the first
//! [refresh token](crate::refresh::RefreshTokens::issue).
//!
//! ```
//! use http::{Request, header};
//! use msf_auth::{
//!     SigningKey, TokenIssuer,
//!     oauth::{Client, ClientSecret, GrantType, MemoryClients, OAuth},
//! };
//! use msf_core::testing::TestClient;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! let secret = ClientSecret::generate()?;
//! let clients = MemoryClients::new();
//! clients.insert(
//!     Client::new("order")
//!         .secret(secret.hash())
//!         .grant(GrantType::ClientCredentials)
//!         .scopes(["payments:write"])
//!         .audience("payment"),
//! )?;
//! let issuer = TokenIssuer::new("https://id.shop", SigningKey::generate_ed25519()?);
//! let oauth = OAuth::builder(issuer).clients(clients).build()?;
//!
//! let form = format!(
//!     "grant_type=client_credentials&client_id=order&client_secret={}",
//!     secret.text().expose()
//! );
//! let request = Request::post("/oauth/token")
//!     .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
//!     .body(form)?;
//! let response = TestClient::new(oauth.router()).send(request).await;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.header("cache-control"), Some("no-store"));
//! # Ok(())
//! # }
//! ```
//!
//! # Rules
//!
//! - A request is a form in the body, at most 16 KiB, in 10 s. A parameter that is there twice, or in the query, is
//!   refused, whether it is known or not.
//! - A client proves itself by HTTP Basic or in the form, never by both. Its secret has 256 random bits and is kept as
//!   SHA-256; it is compared in constant time, and an unknown client takes as long as a wrong secret and gets the
//!   same answer.
//! - Scopes only ever shrink: what is issued was asked for, and belongs to the client, and was granted at the login or
//!   is in the token that is exchanged.
//! - A token is for one audience, which the client has to be allowed. It is asked for by `audience`; a `resource` is
//!   refused.
//! - A session ends as a whole: when its refresh token is revoked, comes back after it was used, or is of a user that is
//!   gone, the refresh tokens of all clients in it end, and its access tokens by
//!   [`revocations`](OAuthBuilder::revocations).
//! - A client exchanges only tokens that were sent to an audience that it [serves](Client::serves), and introspects those
//!   and its own. An exchanged token says who acts (`act`, four at most), lives 60 s at most, and not longer than the one it came
//!   from.
//! - Errors are those of RFC 6749 section 5.2. They name no client, and nothing that the request has.
//!
//! # What it is not
//!
//! No authorization code, no device grant, no dynamic registration, no client assertions. Without
//! [`revocations`](OAuthBuilder::revocations) a signed access token is not revoked (`unsupported_token_type`): those who
//! take it do not ask. The list is this process's; how others hear of it is yours to
//! [arrange](crate::revocation::RevocationFeed). Requests are not limited by number; put a limit in front, since each
//! wrong secret costs a look into the store.
//!
//! # Metrics
//!
//! `msf_auth_oauth_requests_total`.
//!
//! # Cancel safety
//!
//! A request that is dropped while its refresh token is exchanged leaves that as
//! [`RefreshTokens::rotate`](crate::refresh::RefreshTokens::rotate) says: the same token gives the same successor
//! within the grace. Everything else is over with it.

mod authenticate;
mod builder;
mod client;
mod clients;
mod error;
mod exchange;
mod form;
mod grant;
mod introspect;
mod metadata;
mod metrics;
mod revoke;
mod server;
#[cfg(feature = "sqlite")]
mod sqlite_clients;

pub(crate) use self::metrics::REQUESTS;
#[cfg(feature = "sqlite")]
pub use self::sqlite_clients::SqliteClients;
pub use self::{
    builder::OAuthBuilder,
    client::{Client, ClientSecret, GrantType, InvalidClient, SecretHash},
    clients::{Clients, MemoryClients, Subjects},
    error::{InvalidOAuth, LookupError},
    server::OAuth,
};
