//! Code of your own in the way of a request.
//!
//! A [`Plugin`] sees the head of a request once the caller is known and may pass, and may change it or answer instead;
//! it sees the head of the answer, and hears when all of it was sent. One that is given to the
//! [builder](crate::GatewayBuilder::plugin) sees all routes that lead to a service, one that is given to a
//! [route](crate::Route::plugin) sees that one, after those of the builder. On the way back they are asked in the opposite
//! order.
//!
//! ```
//! use http::{StatusCode, request::Parts, response};
//! use msf_core::problem::{Code, Problem};
//! use msf_gateway::{Flow, Plugin};
//!
//! /// Lets nobody in without a tenant, and says in the answer whose it was.
//! struct Tenants;
//!
//! impl Plugin for Tenants {
//!     type Context = Option<http::HeaderValue>;
//!
//!     async fn on_request(&self, request: &mut Parts, tenant: &mut Self::Context) -> Flow {
//!         *tenant = request.headers.get("x-tenant").cloned();
//!         match tenant {
//!             Some(_) => Flow::Continue,
//!             None => Flow::Respond(Problem::new(Code::Forbidden).into_response()),
//!         }
//!     }
//!
//!     fn on_response(&self, response: &mut response::Parts, tenant: &mut Self::Context) {
//!         if let Some(tenant) = tenant.take() {
//!             response.headers.insert("x-tenant", tenant);
//!         }
//!     }
//! }
//! ```
//!
//! What is known of the request is in its extensions: [`ClientAddr`], and the caller as [`msf_auth::Identity`] where the
//! route asked for a token.
//!
//! # When it is the wrong tool
//!
//! For anything around the call itself, such as a retry or a cache, use [`Route::layer`](crate::Route::layer).
//!
//! # Cost
//!
//! A route without a plugin pays one branch. With plugins, a request costs a box for their contexts and one for each
//! `on_request`.
//!
//! # Cancel safety
//!
//! A client that goes away drops the future of `on_request` at any await. `on_complete` is called once for every request
//! whose `on_request` was called and had an answer, also when the client did not take all of it.

mod contexts;
mod erased;
#[cfg(test)]
mod tests;

use std::{future::Future, net::IpAddr, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode, request::Parts, response};

pub(crate) use self::{
    contexts::{Contexts, Watched},
    erased::{Installed, Plugins},
};

/// Code of your own in the way of a request; see the [module documentation](self).
pub trait Plugin: Send + Sync + 'static {
    /// What one request leaves for its answer.
    type Context: Default + Send + Sync + 'static;

    /// Before the request is transformed and sent on. Its `Host` is what the client said.
    fn on_request(
        &self,
        request: &mut Parts,
        context: &mut Self::Context,
    ) -> impl Future<Output = Flow> + Send {
        let _ = (request, context);
        std::future::ready(Flow::Continue)
    }

    /// Before the head of the answer is sent, whether it is the service's or stands for one that failed. Not called for
    /// refusals that came before `on_request`.
    fn on_response(&self, response: &mut response::Parts, context: &mut Self::Context) {
        let _ = (response, context);
    }

    /// When the answer has ended, or was given up.
    fn on_complete(&self, completed: &Completed, context: &mut Self::Context) {
        let _ = (completed, context);
    }
}

/// What a plugin makes of a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Flow {
    /// It goes on.
    Continue,
    /// It is answered so, and no service sees it.
    Respond(Response<Bytes>),
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completed {
    /// The status that was sent.
    pub status: StatusCode,
    /// From the plugin's first sight of it to the end of the answer.
    pub took: Duration,
    /// Whether the answer was sent to its end.
    pub is_whole: bool,
}

/// The client's address, in the extensions of a request that plugins and layers see; `None` where it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "an address and nothing else")]
pub struct ClientAddr(pub Option<IpAddr>);
