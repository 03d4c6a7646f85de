//! The value behind the question.

use std::{any, fmt};

use msf_core::problem::Problem;
use thiserror::Error;

use super::{Action, Resource};
use crate::{
    audit::{Audit, AuditSink, LogSink},
    policy::denied,
    principal::Principal,
    refusal::Refusal,
};

/// A value, or none, that is given to those only who may have it.
///
/// It has neither `Deref` nor a `Debug` that shows anything, and it cannot be cloned. See the
/// [module documentation](super) for an example.
#[must_use = "a guarded value is of no use before it is authorized"]
pub struct Guarded<T> {
    value: Option<T>,
    /// The log, where there is none.
    audit: Option<Audit>,
}

/// The caller may not have it, or there is none; which of the two is not told. Answered with 404.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("there is nothing of this name for this caller")]
#[non_exhaustive]
pub struct Denied;

impl<T> Guarded<T> {
    /// Guards a value.
    pub const fn new(value: T) -> Self {
        Self::found(Some(value))
    }

    /// Guards what was found, or that nothing was: callers cannot tell what is not there from what is not theirs.
    pub const fn found(value: Option<T>) -> Self {
        Self { value, audit: None }
    }

    /// Where denials are told, as `policy_denied`; default the log. That there is no value is not told.
    ///
    /// ```
    /// use msf_auth::{audit::Audit, guarded::Guarded};
    ///
    /// struct Orders {
    ///     audit: Audit,
    /// }
    ///
    /// impl Orders {
    ///     fn find(&self, _id: u64) -> Guarded<String> {
    ///         Guarded::found(None).audit(&self.audit)
    ///     }
    /// }
    /// # assert!(Orders { audit: Audit::log() }.find(1).authorize_if(|_| true).is_err());
    /// ```
    pub fn audit(mut self, audit: &Audit) -> Self {
        self.audit = Some(audit.clone());
        self
    }

    /// The value, if a function says so; for data that is no [`Resource`].
    ///
    /// A resource's own rules, its tenant among them, are not asked, and no audit is told, since it is not known who
    /// calls.
    ///
    /// ```
    /// use msf_auth::guarded::Guarded;
    ///
    /// let note = Guarded::new("secret");
    /// let is_office_hour = false;
    /// assert!(note.authorize_if(|_| is_office_hour).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// [`Denied`] when it says no, and when there is no value.
    pub fn authorize_if(self, allows: impl FnOnce(&T) -> bool) -> Result<T, Denied> {
        self.value.filter(|value| allows(value)).ok_or(Denied)
    }

    /// Another value, guarded as well: the repository's row becomes the service's type.
    ///
    /// From here on that one says whose it is. Where the row has a tenant, it must have it too.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Guarded<U> {
        Guarded {
            value: self.value.map(convert),
            audit: self.audit,
        }
    }
}

impl<T: Resource> Guarded<T> {
    /// The value, for a caller that may do this with it.
    ///
    /// # Errors
    ///
    /// [`Denied`] for others, and when there is no value.
    pub fn authorize(self, caller: &Principal, action: Action) -> Result<T, Denied> {
        self.authorize_ref(caller, action)?;
        self.value.ok_or(Denied)
    }

    /// As [`authorize`](Self::authorize), and the value stays guarded.
    ///
    /// # Errors
    ///
    /// [`Denied`] for others, and when there is no value.
    pub fn authorize_ref(&self, caller: &Principal, action: Action) -> Result<&T, Denied> {
        let value = self.value.as_ref().ok_or(Denied)?;
        if allows(value, caller, action) {
            return Ok(value);
        }
        tell::<T>(self.audit.as_ref(), caller, action);
        Err(Denied)
    }
}

impl<I: IntoIterator<Item: Resource>> Guarded<I> {
    /// Of several values, those with which the caller may do this; of the others the first is told to the audit.
    ///
    /// ```
    /// # use msf_auth::{Principal, guarded::{Action, Guarded, Owner, Resource}};
    /// # struct Order;
    /// # impl Resource for Order {
    /// #     fn owner(&self) -> Owner<'_> {
    /// #         Owner::nobody()
    /// #     }
    /// # }
    /// fn page(rows: Guarded<Vec<Order>>, caller: &Principal) -> Vec<Order> {
    ///     rows.list(caller, Action::READ).collect()
    /// }
    /// ```
    pub fn list(self, caller: &Principal, action: Action) -> impl Iterator<Item = I::Item> {
        let Self { value, audit } = self;
        let mut is_told = false;
        value.into_iter().flatten().filter(move |value| {
            let is_allowed = allows(value, caller, action);
            // One query, one mistake in it: not an event for each row.
            if !is_allowed && !is_told {
                is_told = true;
                tell::<I::Item>(audit.as_ref(), caller, action);
            }
            is_allowed
        })
    }
}

fn allows<T: Resource>(value: &T, caller: &Principal, action: Action) -> bool {
    // The empty text is no tenant: else all that have none would be one.
    let is_of_tenant = |tenant: &str| !tenant.is_empty() && caller.tenant() == Some(tenant);
    value.tenant().is_none_or(is_of_tenant) && value.allows(caller, action)
}

fn tell<T>(audit: Option<&Audit>, caller: &Principal, action: Action) {
    let reason = format!("may not {action} {}", any::type_name::<T>());
    let event = denied(caller, &reason);
    match audit {
        Some(audit) => audit.record(&event),
        None => LogSink.record(&event),
    }
}

impl<T> From<T> for Guarded<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// Shows nothing of the data.
impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded(..)")
    }
}

impl From<Denied> for Refusal {
    fn from(_: Denied) -> Self {
        Self::Hidden
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Refusal::from(denied).into()
    }
}
