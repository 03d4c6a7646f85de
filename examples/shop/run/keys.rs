//! The key of the order service, made before anybody needs it.

use std::{fs, io};

use msf_auth::TokenIssuer;
use msf_core::BoxError;

use crate::{identity::ORDER_ISSUER, paths::DataDir, settings::Kind};

/// Makes the key if there is none, and publishes its public half to the services that verify with it.
///
/// It is done by the shop and not by the order service, since inventory and payment start at the same time.
pub(super) fn publish(data: &DataDir) -> Result<(), BoxError> {
    let order = Kind::Order.name();
    let issuer = TokenIssuer::open(data.keys(order), ORDER_ISSUER)?;
    replace(&data.jwks(order), &issuer.jwks().to_json())?;
    Ok(())
}

/// Writes a file so that a reader sees the old one or the new one.
fn replace(path: &std::path::Path, text: &str) -> io::Result<()> {
    let next = path.with_extension("next");
    fs::write(&next, text)?;
    fs::rename(&next, path)
}
