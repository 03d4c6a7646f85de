//! The verifier itself.

use std::sync::Arc;

use msf_core::clock::WallClock;

use super::{
    HeaderPolicy, Keys, Reason, TrustedIssuer, VerifierBuilder, Verify, VerifyError,
    check::{self, Times},
    metrics::VerifyMetrics,
};
use crate::{
    algorithm::Algorithm,
    keys::{Key, is_key_id},
    principal::Principal,
    remote::{Lookup, RemoteKeys},
    token::{Claims, Compact, Header, base64url},
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
pub struct Verifier(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) issuers: Box<[TrustedIssuer]>,
    pub(super) times: Times,
    pub(super) token_bytes_max: usize,
    pub(super) clock: WallClock,
    pub(super) metrics: VerifyMetrics,
}

/// What one look at a token gave.
pub(super) enum Attempt<'a> {
    Done(Result<Arc<Principal>, Reason>),
    /// The key may be one that the issuer published since its keys were fetched.
    KeyMissing(&'a RemoteKeys),
}

impl Verifier {
    /// Begins with nothing trusted.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder::new()
    }

    pub(super) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
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
        match self.attempt(token) {
            Attempt::Done(outcome) => Verify::ready(self.settle(outcome)),
            Attempt::KeyMissing(keys) => match keys.refresh_for_missing_key() {
                Some(refresh) => Verify::after(refresh, self.clone(), token.to_owned()),
                None => Verify::ready(self.settle(Err(missing_key(keys)))),
            },
        }
    }

    /// The second look, with whatever keys there are now.
    pub(super) fn verify_again(&self, token: &str) -> Result<Arc<Principal>, VerifyError> {
        match self.attempt(token) {
            Attempt::Done(outcome) => self.settle(outcome),
            Attempt::KeyMissing(keys) => self.settle(Err(missing_key(keys))),
        }
    }

    /// Counts and logs an outcome; once for each token.
    fn settle(
        &self,
        outcome: Result<Arc<Principal>, Reason>,
    ) -> Result<Arc<Principal>, VerifyError> {
        match &outcome {
            Ok(_) => self.0.metrics.accepted(),
            Err(reason) => {
                self.0.metrics.refused(*reason);
                tracing::debug!(target: "msf_auth::verify", %reason, "token not accepted");
            }
        }
        outcome.map_err(VerifyError::from)
    }

    fn attempt(&self, token: &str) -> Attempt<'_> {
        self.try_attempt(token)
            .unwrap_or_else(|reason| Attempt::Done(Err(reason)))
    }

    fn try_attempt(&self, token: &str) -> Result<Attempt<'_>, Reason> {
        if token.len() > self.0.token_bytes_max {
            return Err(Reason::Size);
        }
        let parts = Compact::split(token).ok_or(Reason::Form)?;
        if parts.header.len() > Header::TEXT_BYTES_MAX {
            return Err(Reason::Size);
        }
        let header_json = base64url::decode(parts.header).ok_or(Reason::Form)?;
        let payload_json = base64url::decode(parts.payload).ok_or(Reason::Form)?;
        let signature = base64url::decode(parts.signature).ok_or(Reason::Form)?;

        let header = Header::parse(&header_json).map_err(|_| Reason::Header)?;
        if header.has_forbidden {
            return Err(Reason::HeaderMember);
        }
        let algorithm = header.algorithm.as_deref().and_then(Algorithm::from_name);
        let algorithm = algorithm.ok_or(Reason::Algorithm)?;
        let key_id = header.key_id.as_deref();
        if key_id.is_some_and(|id| !is_key_id(id)) {
            return Err(Reason::KeyId);
        }

        let claims = Claims::parse(&payload_json).map_err(|_| Reason::Claims)?;
        let issuer = claims.issuer.as_deref().ok_or(Reason::MissingClaim)?;
        let mut issuers = self.0.issuers.iter();
        let issuer = issuers
            .find(|trusted| &*trusted.issuer == issuer)
            .ok_or(Reason::Issuer)?;
        if header.has_key_hint && issuer.header_policy == HeaderPolicy::Strict {
            return Err(Reason::HeaderMember);
        }
        if !issuer.takes_type(header.token_type.as_deref()) {
            return Err(Reason::Type);
        }
        if !issuer.algorithms.contains(&algorithm) {
            return Err(Reason::Algorithm);
        }

        let check = |key: &Key| {
            if key.algorithm() != algorithm {
                return Err(Reason::KeyAlgorithm);
            }
            if !key.verify(parts.signing_input.as_bytes(), &signature) {
                return Err(Reason::Signature);
            }
            Ok(())
        };
        match &issuer.keys {
            Keys::Static(keys) => check(keys.find(key_id).ok_or(Reason::UnknownKey)?)?,
            Keys::Remote(remote) => match remote.lookup(key_id, check) {
                Lookup::Found(outcome) => outcome?,
                Lookup::Missing => return Ok(Attempt::KeyMissing(remote)),
            },
        }
        let now_s = self.0.clock.unix_seconds();
        let principal = check::principal(claims, issuer, self.0.times, now_s)?;
        Ok(Attempt::Done(Ok(Arc::new(principal))))
    }
}

fn missing_key(keys: &RemoteKeys) -> Reason {
    if keys.is_usable() {
        Reason::UnknownKey
    } else {
        Reason::KeysUnavailable
    }
}
