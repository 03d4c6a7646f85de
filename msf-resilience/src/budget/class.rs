//! Why an additional call is made.

use msf_core::classify::Classification;

/// The class of a failure: what an additional call after it costs, and how long to wait before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The call failed, or is slow; the next may go well at once.
    Transient,
    /// The callee says that it is called too much.
    Throttled,
}

impl Class {
    /// `transient` or `throttled`: the label value of the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
        }
    }

    /// The class of an outcome that was judged.
    ///
    /// ```
    /// use msf_core::classify::Classification;
    /// use msf_resilience::budget::Class;
    ///
    /// assert_eq!(Class::of(&Classification::FAILURE), Class::Transient);
    /// assert_eq!(Class::of(&Classification::FAILURE.throttled(true)), Class::Throttled);
    /// ```
    #[must_use]
    pub const fn of(classification: &Classification) -> Self {
        if classification.hint.throttled {
            Self::Throttled
        } else {
            Self::Transient
        }
    }
}
