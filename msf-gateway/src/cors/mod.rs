//! Which pages of other origins may read what a route answers: CORS of the [fetch standard](https://fetch.spec.whatwg.org/#http-cors-protocol).
//!
//! A browser asks before it sends what a page could not have sent before CORS: by a *preflight*, an `OPTIONS` that names
//! the origin, the method and the headers. The gateway answers it for the route that would take the request itself:
//! before the token, since a browser sends none with it, and before the limit, since it costs nothing. It is not
//! forwarded. All other answers of the route, refusals too, get the headers that let the page read them; what the
//! service says about CORS itself is dropped, so that there is one opinion.
//!
//! CORS protects what a user's browser holds; it keeps nobody else out. A request of another origin is served like any
//! other, and the browser keeps the answer from the page.
//!
//! ```
//! use http::Method;
//! use msf_gateway::{Cors, Route};
//!
//! let orders = Route::prefix("/api/orders").to("order").public().cors(
//!     Cors::new()
//!         .origins(["https://shop.example", "https://*.partner.example"])
//!         .methods([Method::GET, Method::POST])
//!         .headers(["content-type", "authorization"])
//!         .credentials(),
//! );
//! # drop(orders);
//! ```
//!
//! # What is an error
//!
//! Any origin with credentials: then every page on the web could act as the user. An origin that is not one, such as
//! `shop.example` or `https://shop.example/`, which no browser ever sends, and `null`, which every sandboxed page is.

mod error;
mod grant;
mod origin;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use self::grant::{Checked, Grant, asked_method};
pub use self::{error::InvalidCors, settings::Cors};
