//! The user service: accounts, logins, and the tokens that all others trust.

mod domain;
mod http;
mod login;
mod seed;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use std::hash::Hash;

use msf_auth::{PasswordConfig, Passwords, TokenIssuer};
use msf_resilience::rate_limit::{Quota, RateLimiter};

use crate::{
    context::{Context, OpenError, Parts},
    db::Db,
    identity,
};

/// Opens the database and the signing key, and builds the routes.
///
/// # Errors
///
/// When the database or the key cannot be opened.
pub(crate) async fn open(ctx: &Context) -> Result<Parts, OpenError> {
    let db = Db::open(ctx.data.database("users"), store::MIGRATIONS)
        .await
        .map_err(OpenError::because("the database cannot be opened"))?;
    let issuer = TokenIssuer::open(ctx.data.keys("user"), identity::USER_ISSUER)
        .map_err(OpenError::because("the signing key cannot be opened"))?;
    let passwords = Passwords::with_metrics(PasswordConfig::default(), &ctx.metrics)
        .map_err(OpenError::because("passwords cannot be hashed"))?;
    seed::seed(&db, ctx.clock)
        .await
        .map_err(OpenError::because("the first accounts cannot be written"))?;
    let verifier = identity::verifier(issuer.jwks(), None)
        .map_err(OpenError::because("nobody can be verified"))?;
    let app = http::App {
        login: login::Login {
            db: db.clone(),
            passwords,
            limiter: limiter("login")?,
            confirmations: limiter("confirmation")?,
        },
        issuer,
        clock: ctx.clock,
    };
    Ok(Parts {
        router: http::router(app, verifier).map_err(OpenError::because("the routes are wrong"))?,
        checks: vec![db.check()],
        background: Vec::new(),
    })
}

/// Ten tries at once and then one every six seconds for each address or user: nobody mistypes faster, and
/// guessing a password of ten characters that way takes for ever.
///
/// The price: whoever goes on guessing for an address keeps its owner from logging in meanwhile.
fn limiter<K>(name: &'static str) -> Result<RateLimiter<K>, OpenError>
where
    K: Clone + Eq + Hash + Send + 'static,
{
    RateLimiter::builder(Quota::per_minute(10))
        .name(name)
        .build()
        .map_err(OpenError::because("logins cannot be limited"))
}
