//! Which outcomes get another answer.

use msf_core::classify::{Classify, Http, Verdict};

/// Why a call got another answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The service inside failed.
    Failure,
    /// A layer inside refused the call: an open breaker, a full bulkhead, shed load.
    Refused,
    /// A predicate of the application chose it.
    Chosen,
}

impl Cause {
    /// `failure`, `refused` or `chosen`: the label value of the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Refused => "refused",
            Self::Chosen => "chosen",
        }
    }
}

/// Decides whether an outcome gets another answer. Implemented by [`Failed`] and [`When`].
pub trait Decide<Res, E> {
    /// Why it does, if it does.
    fn cause(&self, outcome: Result<&Res, &E>) -> Option<Cause>;
}

/// Failures and refusals, as a classifier sees them: the default.
///
/// What was the caller's fault is the service's success, and so is never replaced; neither is a call whose
/// caller's deadline has passed, nor a 429 from the callee, which says something that its caller should hear.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failed<C = Http>(pub(super) C);

/// What a predicate picks.
#[derive(Clone, Copy, Debug)]
pub struct When<P>(pub(super) P);

impl<Res, E, C: Classify<Res, E>> Decide<Res, E> for Failed<C> {
    fn cause(&self, outcome: Result<&Res, &E>) -> Option<Cause> {
        let seen = self.0.classify(outcome);
        match seen.verdict {
            _ if seen.hint.refused => Some(Cause::Refused),
            Verdict::Failure => Some(Cause::Failure),
            Verdict::Success | Verdict::Ignore => None,
        }
    }
}

impl<Res, E, P: Fn(Result<&Res, &E>) -> bool> Decide<Res, E> for When<P> {
    fn cause(&self, outcome: Result<&Res, &E>) -> Option<Cause> {
        (self.0)(outcome).then_some(Cause::Chosen)
    }
}
