//! Answers that a route gives itself, without a service: [`Redirect`], [`DirectResponse`], [`Maintenance`].
//!
//! A redirect or a direct response takes the place of the service: CORS, IP rules, policy and rate limit come before it
//! as before any other. Maintenance is an attribute of a route that leads to a service, and comes before the token:
//! who cannot be served need not log in.
//!
//! ```
//! use std::time::Duration;
//! use http::StatusCode;
//! use msf_gateway::{DirectResponse, Maintenance, Redirect, Route};
//!
//! let moved = Route::prefix("/shop").public().redirect(Redirect::prefix("/store").permanent());
//! let robots = Route::exact("/robots.txt")
//!     .public()
//!     .respond(DirectResponse::text(StatusCode::OK, "User-agent: *\nDisallow: /"));
//! let orders = Route::prefix("/api/orders")
//!     .to("order")
//!     .public()
//!     .maintenance(Maintenance::new().retry_after(Duration::from_secs(600)));
//! # drop((moved, robots, orders));
//! ```

mod maintenance;
mod redirect;
mod respond;
#[cfg(test)]
mod tests;

pub(crate) use self::redirect::CheckedRedirect;
pub use self::{
    maintenance::Maintenance,
    redirect::{InvalidRedirect, Redirect},
    respond::DirectResponse,
};
