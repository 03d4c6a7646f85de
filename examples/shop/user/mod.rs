//! The user service.

use crate::context::{Context, OpenError, Parts};

/// Opens the database and builds the routes.
///
/// # Errors
///
/// When the database or a key cannot be opened.
pub(crate) async fn open(_ctx: &Context) -> Result<Parts, OpenError> {
    Ok(Parts {
        router: axum::Router::new(),
        checks: Vec::new(),
        background: Vec::new(),
    })
}
