//! HTTP/2: many requests on each of a few connections.
//!
//! A connection takes requests until four fifths of its streams are in use; then the next one is
//! opened, and what comes meanwhile takes the last fifth. When there may be no other connection,
//! requests wait in line for a stream as those of HTTP/1.1 do for a connection.

mod choice;
mod connection;
mod exchange;
mod host;
mod prepare;

pub(super) use self::{exchange::exchange, host::Host, host::Lease};
