//! The states of a circuit.

/// The state of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Calls pass and are counted. After a recovery only a growing share of them passes: the [`Ramp`](super::Ramp).
    Closed,
    /// Calls are refused until the open wait is over.
    Open,
    /// A few calls pass as probes; their outcome decides.
    HalfOpen,
    /// Calls are refused until the breaker is released.
    ForcedOpen,
    /// Calls pass and are not counted, until the breaker is released.
    Disabled,
    /// Calls pass and are counted, but the circuit does not open, until the breaker is released.
    MetricsOnly,
}

impl State {
    /// Every state.
    pub(super) const ALL: [Self; 6] = [
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::ForcedOpen,
        Self::Disabled,
        Self::MetricsOnly,
    ];

    /// `closed`, `open`, `half_open`, `forced_open`, `disabled` or `metrics_only`: the label value of the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }
}
