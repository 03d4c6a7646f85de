//! The value behind the question.

use std::fmt;

use msf_core::problem::Problem;
use thiserror::Error;

use super::{Action, Resource};
use crate::{principal::Principal, refusal::Refusal};

/// A value, or none, that is given to those only who may have it.
///
/// It has neither `Deref` nor a `Debug` that shows anything, and it cannot be cloned. See the
/// [module documentation](super) for an example.
#[must_use = "a guarded value is of no use before it is authorized"]
pub struct Guarded<T>(Option<T>);

/// The caller may not have it, or there is none; which of the two is not told. Answered with 404.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("there is nothing of this name for this caller")]
#[non_exhaustive]
pub struct Denied;

impl<T> Guarded<T> {
    /// Guards a value.
    pub const fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Guards what was found, or that nothing was: callers cannot tell what is not there from what is not theirs.
    pub const fn found(value: Option<T>) -> Self {
        Self(value)
    }

    /// The value, if a function says so; for data that is no [`Resource`].
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
        self.0.filter(|value| allows(value)).ok_or(Denied)
    }

    /// Another value, guarded as well: the repository's row becomes the service's type.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Guarded<U> {
        Guarded(self.0.map(convert))
    }
}

impl<T: Resource> Guarded<T> {
    /// The value, for a caller that may do this with it.
    ///
    /// # Errors
    ///
    /// [`Denied`] for others, and when there is no value.
    pub fn authorize(self, caller: &Principal, action: Action) -> Result<T, Denied> {
        self.authorize_if(|value| allows(value, caller, action))
    }

    /// As [`authorize`](Self::authorize), and the value stays guarded.
    ///
    /// # Errors
    ///
    /// [`Denied`] for others, and when there is no value.
    pub fn authorize_ref(&self, caller: &Principal, action: Action) -> Result<&T, Denied> {
        let value = self.0.as_ref();
        value
            .filter(|value| allows(*value, caller, action))
            .ok_or(Denied)
    }

    /// Those with which the caller may do this.
    pub fn list(
        values: impl IntoIterator<Item = T>,
        caller: &Principal,
        action: Action,
    ) -> impl Iterator<Item = T> {
        values
            .into_iter()
            .filter(move |value| allows(value, caller, action))
    }
}

fn allows<T: Resource>(value: &T, caller: &Principal, action: Action) -> bool {
    let is_of_tenant = |tenant: &str| caller.tenant() == Some(tenant);
    let is_allowed = value.tenant().is_none_or(is_of_tenant) && value.allows(caller, action);
    if !is_allowed {
        tracing::debug!(
            target: "msf_auth::audit",
            subject = caller.subject(),
            issuer = caller.issuer(),
            %action,
            resource = std::any::type_name::<T>(),
            "not for this caller"
        );
    }
    is_allowed
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
