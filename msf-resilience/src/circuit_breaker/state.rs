//! The three states.

/// The state of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the three states are the pattern; callers match them all"
)]
pub enum State {
    /// Calls pass and are counted.
    Closed,
    /// Calls are refused until the open wait is over.
    Open,
    /// A few calls pass as probes; their outcome decides.
    HalfOpen,
}

impl State {
    /// `closed`, `open` or `half_open`: the label value of the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}
