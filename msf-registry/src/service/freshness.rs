//! How current a list of instances is.

use std::time::SystemTime;

use tokio::time::Instant;

/// How current the list of instances in use is.
///
/// ```
/// use msf_registry::Freshness;
///
/// assert_eq!(Freshness::Unknown.as_str(), "unknown");
/// assert!(Freshness::Live.is_live());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Freshness {
    /// The registry answers. The list is what it says, and while it does not vouch for that, also whom it listed before.
    Live,
    /// The registry was heard and does not answer now; its last list stays in use.
    Stale {
        /// When it last confirmed the list.
        since: Instant,
    },
    /// The registry has not answered since this process began to watch; the list was read from the
    /// [disk](crate::RegistryBuilder::cache_dir).
    Persisted {
        /// When the list was written, by the clock of the machine.
        written_at: SystemTime,
    },
    /// The registry has not answered and nothing is on disk: there is no list.
    Unknown,
}

impl Freshness {
    /// Whether the registry answers.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Live)
    }

    /// The word in JSON and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale { .. } => "stale",
            Self::Persisted { .. } => "persisted",
            Self::Unknown => "unknown",
        }
    }
}
