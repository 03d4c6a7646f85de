//! What an operator can ask of a policy.

use super::policy::Kind;

/// An operator's order to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// A breaker: refuse every call until [`Release`](Self::Release).
    ForceOpen,
    /// A breaker: let every call pass and count nothing, until released. Faults: inject none.
    Disable,
    /// A breaker: let every call pass, count, and never open, until released.
    MetricsOnly,
    /// Take back an order: a breaker closes with an empty window, faults are injected again.
    Release,
    /// A bulkhead or a limit of concurrency: so many calls at once from now on.
    SetLimit(u32),
}

/// An order that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is no such policy.
    #[error("no {} is named `{}`", kind.as_str(), name.escape_debug())]
    Unknown {
        /// The kind asked for.
        kind: Kind,
        /// The name asked for.
        name: Box<str>,
    },
    /// Policies of this kind do not take this order.
    #[error("policies of this kind do not take the order {0:?}")]
    Unsupported(Control),
    /// The order has a value that the policy cannot work with.
    #[error("{0}")]
    Invalid(Box<str>),
}
