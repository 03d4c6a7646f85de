//! What was injected, and what could not be set up.

use msf_core::{
    classify::Classification,
    metrics::MetricsError,
    problem::{Code, Problem},
};

use super::kind::Fault;
use crate::LayerError;

/// This outcome was made up by a fault injection.
///
/// It is the error of the typed layer and of a body that breaks off; in the extensions of an answer it says
/// that the answer is not the service's.
///
/// ```
/// use msf_core::problem::{Code, Problem};
/// use msf_resilience::fault::{Fault, Injected};
///
/// let injected = Injected::new(Fault::Error);
/// assert_eq!(injected.fault(), Fault::Error);
/// assert_eq!(Problem::from(injected).code(), Code::Unavailable);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fault was injected: {}", fault.as_str())]
pub struct Injected {
    fault: Fault,
}

impl Injected {
    /// What an injection gives, for tests of code that meets one.
    #[must_use]
    pub const fn new(fault: Fault) -> Self {
        Self { fault }
    }

    /// Which fault it was.
    #[must_use]
    pub const fn fault(self) -> Fault {
        self.fault
    }
}

impl From<Injected> for Problem {
    fn from(injected: Injected) -> Self {
        Self::new(match injected.fault {
            Fault::Hang => Code::DeadlineExceeded,
            Fault::Reset => Code::UpstreamReset,
            Fault::Error | Fault::Latency(_) => Code::Unavailable,
        })
        .with_log_detail(injected.to_string())
    }
}

/// The error of the typed layer: made up, or of the service inside.
///
/// To a classifier that looks [`Through`](crate::Through) it, what was made up is a failure as a real one would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an error is made up or it is not; callers match both"
)]
pub enum Error<E> {
    /// The error was made up.
    #[error(transparent)]
    Injected(Injected),
    /// The service inside failed.
    #[error(transparent)]
    Inner(E),
}

impl<E> LayerError for Error<E> {
    type Inner = E;

    fn inner(&self) -> Result<&E, Classification> {
        match self {
            Self::Inner(error) => Ok(error),
            Self::Injected(_) => Err(Classification::FAILURE),
        }
    }
}

/// Faults that could not be injected as asked.
///
/// ```
/// use msf_resilience::fault::{Faults, InvalidFaults};
///
/// let error = Faults::builder("payment").error(1.5).build().unwrap_err();
/// assert!(matches!(error, InvalidFaults::Share { fault: "error", .. }));
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFaults {
    /// The name is empty, longer than 128 bytes or holds a control character.
    #[error("the name of faults must be 1 to 128 bytes without control characters")]
    Name,
    /// A share is no share of the calls.
    #[error("the share of calls with `{fault}` must be 0, or from 0.0001 to 1, not {share}")]
    Share {
        /// Which one.
        fault: &'static str,
        /// What was given.
        share: f64,
    },
    /// A call gets one fault at most, so the shares must leave room for each other.
    #[error("the shares of all faults together must be at most 1, not {0}")]
    Shares(f64),
    /// The latency is zero, longer than five minutes, or a range that ends before it begins.
    #[error("an injected latency must be above zero, at most 5 min, and its range in order")]
    Latency,
    /// The metrics could not be registered.
    #[error("the metrics of the faults could not be registered")]
    Metrics(#[from] MetricsError),
}
