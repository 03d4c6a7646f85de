//! Who acts for whom.

use std::fmt;

use serde_json::Value;

/// Who acts in the name of a caller (`act`, RFC 8693 section 4.1), and who acted before it.
///
/// Only the outermost actor may count in a decision; those below it are history.
#[derive(Clone, Copy, PartialEq)]
pub struct Actor<'a>(&'a Value);

impl<'a> Actor<'a> {
    pub(super) fn new(value: &'a Value) -> Option<Self> {
        value.is_object().then_some(Self(value))
    }

    /// Who it is (`sub`).
    #[must_use]
    pub fn subject(self) -> Option<&'a str> {
        self.0.get("sub")?.as_str()
    }

    /// Who says so (`iss`); without it the issuer of the token does.
    #[must_use]
    pub fn issuer(self) -> Option<&'a str> {
        self.0.get("iss")?.as_str()
    }

    /// Who acted before it.
    #[must_use]
    pub fn actor(self) -> Option<Self> {
        self.0.get("act").and_then(Self::new)
    }

    /// It, and those before it; at most 32, which is how deep claims may be.
    pub fn chain(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |actor| actor.actor())
    }
}

impl fmt::Debug for Actor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor")
            .field("subject", &self.subject())
            .field("actor", &self.actor())
            .finish_non_exhaustive()
    }
}
