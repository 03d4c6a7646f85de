//! Whose something is.

use std::{borrow::Cow, fmt};

use crate::principal::Principal;

/// Whose something is.
///
/// A subject says who it is only within the issuer that named it. Where users of one issuer are taken the subject is
/// enough; where those of several are, or an [edge](crate::TrustedIssuer::internal) does not say [whose
/// users](crate::TrustedIssuer::users_of) it speaks for, an owner without an issuer is nobody who calls.
///
/// ```
/// use msf_auth::guarded::Owner;
///
/// let of_ada = Owner::user("7").of_issuer("https://user.shop");
/// let of_nobody = Owner::nobody();
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Owner<'a> {
    subject: Option<Cow<'a, str>>,
    issuer: Option<Cow<'a, str>>,
}

impl<'a> Owner<'a> {
    /// The user with this subject. A service never is, even if it has the user's number for a name.
    pub fn user(subject: impl Into<Cow<'a, str>>) -> Self {
        Self {
            subject: Some(subject.into()),
            issuer: None,
        }
    }

    /// No user.
    pub const fn nobody() -> Self {
        Self {
            subject: None,
            issuer: None,
        }
    }

    /// Says which issuer named the user; needed where several are trusted for users. It is compared with the
    /// [`subject_issuer`](Principal::subject_issuer) of the caller.
    pub fn of_issuer(mut self, issuer: impl Into<Cow<'a, str>>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Whether the caller is the owner.
    #[must_use]
    pub fn is(&self, caller: &Principal) -> bool {
        let is_of_issuer = match &self.issuer {
            Some(issuer) => **issuer == *caller.subject_issuer(),
            None => caller.subject_suffices(),
        };
        !caller.is_service() && self.subject.as_deref() == Some(caller.subject()) && is_of_issuer
    }
}

/// Without the subject.
impl fmt::Debug for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").finish_non_exhaustive()
    }
}
