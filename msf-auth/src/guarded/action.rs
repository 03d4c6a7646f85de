//! What somebody wants to do.

use std::fmt;

/// What somebody wants to do with a resource: a word.
///
/// ```
/// use msf_auth::guarded::Action;
///
/// const CANCEL: Action = Action::new("cancel");
/// assert_eq!(CANCEL.as_str(), "cancel");
/// assert_ne!(CANCEL, Action::UPDATE);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Action(&'static str);

impl Action {
    /// To see it.
    pub const READ: Self = Self("read");
    /// To change it.
    pub const UPDATE: Self = Self("update");
    /// To remove it.
    pub const DELETE: Self = Self("delete");

    /// Something else.
    #[must_use]
    pub const fn new(word: &'static str) -> Self {
        Self(word)
    }

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}
