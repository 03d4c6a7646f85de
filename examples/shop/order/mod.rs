//! The order service: takes orders, and takes them through [`saga`].

mod dispatch;
mod domain;
mod driver;
mod http;
mod ports;
mod remote;
mod request;
mod saga;
mod service;
mod store;
#[cfg(test)]
mod tests;
mod vault;
mod waiters;

use std::{sync::Arc, time::Duration};

use msf_auth::TokenIssuer;
use msf_client::ServiceSettings;
use msf_core::{clock::WallClock, task};

use self::{
    dispatch::{Dispatcher, Hints},
    driver::{Driver, Patience},
    ports::{Inventory, Payments},
    remote::Remote,
    service::Orders,
    vault::Vault,
    waiters::Waiters,
};
use crate::{
    context::{Context, OpenError, Parts},
    db::{Db, DbError},
    identity,
    paths::DataDir,
    timestamp::Timestamp,
};

/// Opens the database and the keys, builds the routes, and takes up every order that is not at its end.
///
/// # Errors
///
/// When the database or a key cannot be opened.
pub(crate) async fn open(ctx: &Context) -> Result<Parts, OpenError> {
    let issuer = TokenIssuer::open(ctx.data.keys("order"), identity::ORDER_ISSUER)
        .map_err(OpenError::because("the signing key cannot be opened"))?;
    // An instance that dies under a call costs one more attempt and not the wait of the saga.
    let settings = ServiceSettings::new().retry(|retry| retry.max_attempts(2));
    let remote = |name: &str| {
        let service = ctx.client.service_with(name, &settings);
        Ok(Arc::new(Remote {
            service: service.map_err(OpenError::because("a service has no name"))?,
            tokens: issuer.service_tokens("order", name),
        }))
    };
    let verifier = identity::verifier(ctx.user_keys.clone(), None)
        .map_err(OpenError::because("nobody can be verified"))?;
    let (orders, dispatcher) = start(
        &ctx.data,
        remote("inventory")?,
        remote("payment")?,
        Patience::standard(),
        ctx.clock,
    )
    .await?;
    let db = orders.db.clone();
    Ok(Parts {
        router: http::router(orders, verifier)
            .map_err(OpenError::because("the routes are wrong"))?,
        checks: vec![db.check()],
        background: vec![task::spawn("saga", dispatcher.run())],
    })
}

/// Everything but the routes and the network.
async fn start(
    data: &DataDir,
    inventory: Arc<dyn Inventory>,
    payments: Arc<dyn Payments>,
    patience: Patience,
    clock: WallClock,
) -> Result<(Orders, Dispatcher), OpenError> {
    let db = Db::open(data.database("orders"), store::MIGRATIONS)
        .await
        .map_err(OpenError::because("the database cannot be opened"))?;
    let vault = Vault::open(&data.keys("order")).map_err(OpenError::because(
        "the key of the card tokens cannot be opened",
    ))?;
    let now = Timestamp::now(clock);
    let open = db
        .write::<_, DbError>(move |tx| store::wake_all(tx, now))
        .await
        .map_err(OpenError::because("the open orders cannot be read"))?;
    if open > 0 {
        tracing::info!(orders = open, "taking up orders of an earlier run");
    }
    let (vault, waiters) = (Arc::new(vault), Waiters::default());
    let driver = Arc::new(Driver {
        db: db.clone(),
        vault: Arc::clone(&vault),
        inventory,
        payments,
        waiters: waiters.clone(),
        patience,
        clock,
    });
    let (dispatcher, hints): (Dispatcher, Hints) = Dispatcher::new(driver);
    let orders = Orders {
        db,
        vault,
        hints,
        waiters,
        clock,
        wait: ANSWER_WITHIN,
    };
    Ok((orders, dispatcher))
}

/// How long a request waits for its order: longer than the slowest card, and shorter than the gateway.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
