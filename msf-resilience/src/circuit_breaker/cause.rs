//! Why a call was refused.

/// Why a breaker refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The circuit is open.
    Open,
    /// The circuit is half-open and every probe is taken.
    HalfOpenFull,
    /// An operator holds the circuit open.
    Forced,
    /// The circuit has closed, and the load is coming back gradually.
    Ramp,
}

impl Cause {
    /// Every cause.
    pub(super) const ALL: [Self; 4] = [Self::Open, Self::HalfOpenFull, Self::Forced, Self::Ramp];

    /// `open`, `half_open_full`, `forced` or `ramp`: the label value of the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::HalfOpenFull => "half_open_full",
            Self::Forced => "forced",
            Self::Ramp => "ramp",
        }
    }
}
