//! What a route changes in requests and answers: headers, and the path that the service sees.
//!
//! Values may name what is known of the request in braces; `{{` and `}}` are braces.
//!
//! | | |
//! |---|---|
//! | `{client_ip}` | the client's address, as [`Forwarding`](crate::headers::forwarded::Forwarding) finds it |
//! | `{host}` | what the client called the gateway, with the port if it said one |
//! | `{path}` | the canonical path |
//! | `{query}` | the query as it came, without `?` |
//! | `{request_id}` | the content of `x-request-id` |
//! | `{route}` | the template of the route |
//! | any other | what the template of the route's path captured: `{id}` of `/users/{id}` |
//!
//! A name that is none of these is an error when the gateway is built. A header whose value needs something that a
//! request does not have is removed and not sent with half a value.
//!
//! ```
//! use msf_gateway::{HeaderTransform, Route};
//!
//! let users = Route::prefix("/api/users")
//!     .to("user")
//!     .public()
//!     .request_headers(HeaderTransform::new().set("x-client", "{client_ip}").remove("x-debug"))
//!     .response_headers(HeaderTransform::new().set("cache-control", "no-store"))
//!     .replace_prefix("/v2/users");
//! # drop(users);
//! ```

mod error;
mod headers;
mod path;
mod template;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use self::template::Always;
pub use self::{error::InvalidTransform, headers::HeaderTransform};
pub(crate) use self::{
    headers::{CheckedHeaders, Side},
    path::{CheckedPath, PathTransform},
    template::{Template, Values},
};
