//! Judging outcomes through the errors of layers.

use msf_core::classify::{Classification, Classify};

/// The error of a layer: what the layer itself did, or the error of the service inside.
///
/// Implemented by the error types of this crate, so that a breaker or a retry around other layers can tell their
/// refusals from failures; see [`Through`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the error of a layer",
    note = "`Through` looks through one layer of msf-resilience; use the classifier itself for other errors"
)]
pub trait LayerError {
    /// The error of the service inside.
    type Inner;

    /// The error of the service inside, if the call reached it; otherwise what the layer's own error means.
    ///
    /// # Errors
    ///
    /// The classification of the layer's own error. It is no failure of this function.
    fn inner(&self) -> Result<&Self::Inner, Classification>;
}

/// Judges what comes out of a layer of this crate: the layer's own errors by what they mean, all else by `C`.
///
/// It looks through one layer; nest it for several.
///
/// ```
/// use std::io;
/// use msf_core::classify::{Classification, Classify, Http, Verdict};
/// use msf_resilience::{Through, circuit_breaker::{CircuitBreaker, Error}};
///
/// let breaker = CircuitBreaker::builder("payment").min_calls(1).build()?;
/// breaker.try_acquire()?.complete(&Classification::FAILURE);
/// let refused = breaker.try_acquire().unwrap_err();
///
/// let seen: Result<&http::Response<()>, &Error<io::Error>> = Err(&Error::Open(refused));
/// let classification = Through(Http::default()).classify(seen);
/// assert_eq!(classification.verdict, Verdict::Ignore);
/// assert!(classification.hint.refused);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "an adaptor of one value")]
pub struct Through<C>(pub C);

impl<Res, E, C> Classify<Res, E> for Through<C>
where
    E: LayerError,
    C: Classify<Res, E::Inner>,
{
    fn classify(&self, outcome: Result<&Res, &E>) -> Classification {
        match outcome.map_err(LayerError::inner) {
            Ok(response) => self.0.classify(Ok(response)),
            Err(Ok(inner)) => self.0.classify(Err(inner)),
            Err(Err(own)) => own,
        }
    }
}
