//! What data says about who may have it.

use super::{Action, Owner};
use crate::principal::Principal;

/// Data that knows whose it is. See the [module documentation](super) for an example.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whose it is",
    note = "implement `msf_auth::guarded::Resource` for it, or use `Guarded::authorize_if`"
)]
pub trait Resource {
    /// Whose it is.
    fn owner(&self) -> Owner<'_>;

    /// The tenant it belongs to, if there are tenants. Callers of another tenant, and of none, never get it, whatever
    /// [`allows`](Self::allows) says.
    fn tenant(&self) -> Option<&str> {
        None
    }

    /// Whether the caller may do this with it. Without an implementation only the owner may, and everything.
    fn allows(&self, caller: &Principal, action: Action) -> bool {
        let _ = action;
        self.owner().is(caller)
    }
}
