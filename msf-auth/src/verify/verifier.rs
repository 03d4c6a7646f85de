//! The verifier itself.

use std::{convert::Infallible, sync::Arc};

use msf_core::clock::WallClock;

use super::{
    Namers, Reason, TrustedIssuer, VerifierBuilder, Verify, VerifyError, check::Times,
    metrics::VerifyMetrics,
};
use crate::{
    audit::{Audit, Event},
    cache::Store,
    principal::Principal,
    remote::RemoteKeys,
    revocation::Revocations,
};

/// Verifies tokens of the issuers that it trusts. Cloning shares everything.
///
/// See the [module documentation](super) for the order of the checks.
///
/// ```
/// use msf_auth::{SigningKey, TokenIssuer, TrustedIssuer, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
/// let trusted = TrustedIssuer::new("https://user.shop", issuer.jwks()).audience("shop");
/// let verifier = Verifier::builder().issuer(trusted).build()?;
///
/// let token = issuer.token("7").audience("shop").sign()?;
/// assert_eq!(verifier.verify(&token).await?.subject(), "7");
/// assert!(verifier.verify("a.b.c").await.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Verifier(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) issuers: Box<[TrustedIssuer]>,
    pub(super) namers: Namers,
    pub(super) times: Times,
    pub(super) token_bytes_max: usize,
    pub(super) clock: WallClock,
    pub(super) metrics: VerifyMetrics,
    pub(super) cache: Option<Arc<Store>>,
    pub(super) revocations: Option<Revocations>,
    pub(super) audit: Audit,
}

/// What one look at a token gave.
pub(super) enum Attempt<W> {
    Done(Result<Arc<Principal>, Reason>),
    /// The key may be one that the issuer published since its keys were fetched; another look is worth it after this.
    KeyMissing(W),
}

impl Verifier {
    /// Begins with nothing trusted.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder::new()
    }

    pub(super) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// The clock by which tokens expire.
    pub(crate) fn clock(&self) -> &WallClock {
        &self.0.clock
    }

    /// From whom the users that it takes have their names.
    pub(crate) fn namers(&self) -> &Namers {
        &self.0.namers
    }

    /// Verifies a token.
    ///
    /// The work is done in this call; the future is ready at once unless the key is not known and the issuer's
    /// keys are fetched, for which it waits at most 500 ms (see [`RemoteKeys`]).
    ///
    /// # Errors
    ///
    /// The future gives [`VerifyError`] for a token that is not accepted.
    pub fn verify(&self, token: &str) -> Verify {
        match self.0.attempt(token, RemoteKeys::refresh_for_missing_key) {
            Attempt::Done(outcome) => Verify::ready(self.0.settle(outcome)),
            Attempt::KeyMissing(refresh) => Verify::after(refresh, self.clone(), token.to_owned()),
        }
    }

    /// The second look, with whatever keys there are now.
    pub(super) fn verify_again(&self, token: &str) -> Result<Arc<Principal>, VerifyError> {
        match self.0.attempt(token, |_| None::<Infallible>) {
            Attempt::Done(outcome) => self.0.settle(outcome),
            Attempt::KeyMissing(never) => match never {},
        }
    }
}

impl Shared {
    /// Counts an outcome; once for each token.
    fn settle(
        &self,
        outcome: Result<Arc<Principal>, Reason>,
    ) -> Result<Arc<Principal>, VerifyError> {
        match &outcome {
            Ok(_) => self.metrics.accepted(),
            Err(reason) => self.metrics.refused(*reason),
        }
        outcome.map_err(VerifyError::from)
    }

    /// Tells the audit why a token is refused, and what it says of itself.
    pub(super) fn told(&self, reason: Reason, event: Event<'_>) -> Reason {
        self.audit.record(&event.reason(reason.as_str()));
        reason
    }
}
