//! The inventory service: what there is, what it costs, and what is put aside for whom.

mod catalogue;
pub(crate) mod domain;
mod http;
pub(crate) mod store;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use crate::{
    context::{Context, OpenError, Parts},
    db::Db,
    identity,
};

/// Opens the database and builds the routes.
///
/// # Errors
///
/// When the database or the order service's public key cannot be opened.
pub(crate) async fn open(ctx: &Context) -> Result<Parts, OpenError> {
    let db = Db::open(ctx.data.database("inventory"), store::MIGRATIONS)
        .await
        .map_err(OpenError::because("the database cannot be opened"))?;
    db.write(store::seed)
        .await
        .map_err(OpenError::because("the catalogue cannot be written"))?;
    let orders = identity::read_jwks(&ctx.data.jwks("order"))
        .map_err(OpenError::because("the order service's key cannot be read"))?;
    let verifier = identity::verifier(ctx.user_keys.clone(), Some(("inventory", orders)))
        .map_err(OpenError::because("nobody can be verified"))?;
    let app = http::App {
        db: db.clone(),
        clock: ctx.clock,
    };
    Ok(Parts {
        router: http::router(app, verifier).map_err(OpenError::because("the routes are wrong"))?,
        checks: vec![db.check()],
        background: Vec::new(),
    })
}
