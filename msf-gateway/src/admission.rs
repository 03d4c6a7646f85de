//! A request that is let on, and whom has to be asked about it first.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Response, request::Parts};
use msf_auth::{Identity, Principal};
use msf_core::body::Body;
use msf_resilience::rate_limit::Limited;

use crate::{
    exchange::Back,
    gateway::{CheckedRoute, Extras},
    limit::{Key, RateKey},
    plugin::Flow,
    respond,
    route::Captures,
};

/// A request that may go on, and what is known about its caller.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) route: Arc<CheckedRoute>,
    pub(crate) parts: Parts,
    pub(crate) body: Body,
    pub(crate) captures: Captures,
    pub(crate) client: RateKey,
}

/// Plugins and stores are asked. Boxed: a route without any has nothing to wait for.
pub(crate) type Waiting = Pin<Box<dyn Future<Output = Waited> + Send>>;

/// A request that plugins and stores have let through, or the answer to it.
pub(crate) struct Waited {
    pub(crate) outcome: Result<(Admission, Option<Arc<Principal>>), Response<Bytes>>,
    pub(crate) back: Back,
}

impl Admission {
    /// Counts the request against the limit of its route, if that counts by `key`.
    pub(crate) fn count(
        &self,
        key: Key,
        caller: Option<&Principal>,
        back: &mut Back,
    ) -> Result<(), Limited> {
        let Some(limit) = self.route.limit.as_ref().filter(|limit| limit.key == key) else {
            return Ok(());
        };
        let subject = caller.map(RateKey::subject);
        back.allowed = Some(limit.check(subject.as_ref().unwrap_or(&self.client))?);
        Ok(())
    }

    pub(crate) fn waits(&self) -> bool {
        self.route
            .extras
            .as_ref()
            .is_some_and(|extras| extras.waits())
    }

    /// Asks the shared limit, then the plugins.
    pub(crate) async fn ask(mut self, caller: Option<Arc<Principal>>, mut back: Back) -> Waited {
        let route = Arc::clone(&self.route);
        let refused = match &route.extras {
            Some(extras) => self.asked(extras, caller.as_ref(), &mut back).await.err(),
            None => None,
        };
        let outcome = match refused {
            Some(response) => Err(response),
            None => Ok((self, caller)),
        };
        Waited { outcome, back }
    }

    async fn asked(
        &mut self,
        extras: &Extras,
        caller: Option<&Arc<Principal>>,
        back: &mut Back,
    ) -> Result<(), Response<Bytes>> {
        if let Some(limit) = &extras.shared_limit {
            let subject = caller
                .filter(|_| limit.key == Key::Subject)
                .map(|caller| RateKey::subject(caller));
            let key = subject.as_ref().unwrap_or(&self.client);
            let allowed = limit.check(key).await.map_err(respond::not_counted)?;
            // The limit of the gateway's own is the tighter one, if there are two: clients are told about that.
            back.allowed = back.allowed.take().or(allowed);
        }
        let Some(exchange) = &mut back.exchange else {
            return Ok(());
        };
        if let (Some(caller), false) = (caller, extras.plugins.is_empty()) {
            self.parts.extensions.insert(Identity(Arc::clone(caller)));
        }
        for plugin in &extras.plugins {
            match exchange.contexts.on_request(plugin, &mut self.parts).await {
                Flow::Continue => {}
                Flow::Respond(response) => return Err(response),
            }
        }
        Ok(())
    }
}
