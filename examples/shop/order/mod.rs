//! The order service: takes orders, and takes them through [`saga`].

mod dispatch;
mod domain;
mod driver;
mod http;
mod ports;
mod request;
mod saga;
mod service;
mod store;
mod vault;
mod waiters;

use crate::context::{Context, OpenError, Parts};

/// Opens the database and builds the routes.
///
/// # Errors
///
/// When the database or a key cannot be opened.
pub(crate) async fn open(_ctx: &Context) -> Result<Parts, OpenError> {
    todo!()
}
