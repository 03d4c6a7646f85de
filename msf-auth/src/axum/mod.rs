//! Routes that cannot be written without saying who may call them.
//!
//! ```
//! use axum::{extract::Path, routing::get};
//! use msf_auth::{
//!     Identity, SecureRouter, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
//!     policy::{any, owner, scope},
//! };
//! use msf_core::testing::TestClient;
//!
//! async fn show(caller: Identity, Path(id): Path<String>) -> String {
//!     format!("{} looks at {id}", caller.subject())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! # let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
//! # let trusted = TrustedIssuer::new("https://user.shop", issuer.jwks()).audience("shop");
//! # let verifier = Verifier::builder().issuer(trusted).build()?;
//! let router = SecureRouter::new(verifier)
//!     .public("/hello", get(|| async { "hello" }))
//!     .route("/users/{id}", any([scope("users:admin"), owner("id")]), get(show))
//!     .into_router()?;
//!
//! let client = TestClient::new(router);
//! assert_eq!(client.get("/hello").await.status(), 200);
//! assert_eq!(client.get("/users/7").await.status(), 401);
//! assert_eq!(client.get("/nothing").await.status(), 404);
//! # Ok(())
//! # }
//! ```
//!
//! # Extractors
//!
//! | argument | gives | without it |
//! |---|---|---|
//! | [`Identity`](crate::Identity) | the caller | 401 |
//! | [`OptionalIdentity`](crate::OptionalIdentity) | the caller or nobody | never refuses |
//! | [`Claims<T>`](Claims) | the caller's claims, as a type | 401; 403 where they are not of this type |
//! | [`Scopes<T>`](Scopes) | the caller, who has all scopes of `T` | 401; 403 where one is missing |
//! | [`Tenant`] | the caller's tenant | 401; 403 where it has none |
//!
//! They repeat nothing of the policy: a handler that takes `Scopes<T>` is safe in a router that has none, such as one
//! whose routes were written for another service.

mod claims;
mod error;
mod extract;
mod params;
mod router;
mod scopes;
mod table;
mod tenant;

pub use self::{
    claims::Claims,
    error::{InvalidRoute, InvalidRoutes},
    router::SecureRouter,
    scopes::{ScopeSet, Scopes},
    table::{PolicyRow, PolicyTable},
    tenant::Tenant,
};
