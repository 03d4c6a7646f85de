//! Calls to issuers elsewhere: over HTTPS, to addresses that are allowed, and always to an end.
//!
//! What comes back is as hostile as a token: it is bounded in bytes and in time, redirects are not followed, and
//! nothing in it leads to an address that was not allowed when the program started.

#[cfg(feature = "oauth-client")]
pub(crate) mod called;
mod client;
mod endpoint;
#[cfg(feature = "oauth-client")]
mod form;
mod reach;

pub use self::endpoint::InvalidEndpoint;
#[cfg(feature = "jwks")]
pub(crate) use self::endpoint::{Origin, shown};
#[cfg(feature = "oauth-client")]
pub(crate) use self::form::Form;
#[cfg(feature = "oauth-client")]
use self::form::{FORM, basic};
pub(crate) use self::{
    client::{Answer, Outbound},
    endpoint::Network,
};
