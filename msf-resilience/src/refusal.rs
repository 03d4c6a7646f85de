//! What the refusals of layers have in common: when to come back, and what they mean to the layers around.

use std::time::Duration;

/// Once to twice `base`, at random, so that refused callers do not come back together.
pub(crate) fn retry_after(base: Duration) -> Duration {
    base.mul_f64(1.0 + fastrand::f64())
}

/// A wait in whole seconds, which is all that a header can say, up or down at random: rounded one way, 1 to 2 s would be
/// 2 s for everybody.
pub(crate) fn in_whole_seconds(wait: Duration) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few hours at most"
    )]
    let seconds = (wait.as_secs_f64() + fastrand::f64()) as u64;
    Duration::from_secs(seconds.max(1))
}

/// Implements [`LayerError`](crate::LayerError) and [`Refused`](crate::answering::Refused) for an `Error<E>` of a refusal
/// that knows its `retry_after`, and `Inner(E)`.
macro_rules! refuses_with {
    ($refusal:ident) => {
        impl<E> $crate::LayerError for Error<E> {
            type Inner = E;

            fn inner(&self) -> Result<&E, msf_core::classify::Classification> {
                match self {
                    Self::Inner(error) => Ok(error),
                    Self::$refusal(refusal) => Err(msf_core::classify::Classification::IGNORE
                        .retry_after(Some(refusal.retry_after()))
                        .refused(true)),
                }
            }
        }

        impl<E> $crate::answering::Refused for Error<E> {
            fn into_problem(self) -> Result<msf_core::problem::Problem, E> {
                match self {
                    Self::$refusal(refusal) => Ok(refusal.into()),
                    Self::Inner(error) => Err(error),
                }
            }
        }
    };
}

pub(crate) use refuses_with;
