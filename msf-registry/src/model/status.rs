//! What an instance, or an operator, says about it.

use serde::{Deserialize, Serialize};

/// What an instance says about itself, or an operator in its place.
///
/// ```
/// use msf_registry::Status;
///
/// assert_eq!(Status::default(), Status::Up);
/// assert_eq!(Status::OutOfService.as_str(), "out_of_service");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// It takes calls.
    #[default]
    Up,
    /// It works, but badly: it is called when too few others are left.
    Degraded,
    /// It is not ready yet.
    Starting,
    /// It ends what it has and takes nothing new.
    Draining,
    /// It was taken out on purpose.
    OutOfService,
    /// It does not work.
    Down,
}

impl Status {
    /// The word in JSON and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Starting => "starting",
            Self::Draining => "draining",
            Self::OutOfService => "out_of_service",
            Self::Down => "down",
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
