//! Who says who calls.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use msf_core::clock::WallClock;
use tokio::time;

use crate::{
    api_key::ApiKeys,
    principal::Principal,
    verify::{Namers, Reason, Verifier, Verify, VerifyError},
};

/// Says who calls, by the bearer token of a request.
///
/// An [`Introspector`](crate::introspect::Introspector) and [`ApiKeys`] do. Only those and a [`Verifier`] make a
/// [`Principal`], so that an implementation of yours chooses among them. Where it joins users of several issuers, none of
/// those it chooses among knows: name the issuer wherever there is an owner, with
/// [`owner_of`](crate::policy::owner_of) and [`of_issuer`](crate::guarded::Owner::of_issuer).
///
/// ```
/// use std::sync::Arc;
///
/// use async_trait::async_trait;
/// use msf_auth::{Principal, Verifier, VerifyError, api_key::ApiKeys, layer::Authenticate};
///
/// struct TokensAndKeys {
///     tokens: Verifier,
///     keys: ApiKeys,
/// }
///
/// #[async_trait]
/// impl Authenticate for TokensAndKeys {
///     async fn authenticate(&self, token: &str) -> Result<Arc<Principal>, VerifyError> {
///         match token.starts_with("msf_") {
///             true => Ok(self.keys.verify(token).await?),
///             false => self.tokens.verify(token).await,
///         }
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say who calls",
    note = "take a `Verifier`, an `Introspector` or `ApiKeys`, or implement `msf_auth::layer::Authenticate`"
)]
pub trait Authenticate: Send + Sync + 'static {
    /// The caller that a token stands for.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] for a token that is not accepted, and when nothing can be said about it.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the time is over or the caller goes away.
    async fn authenticate(&self, token: &str) -> Result<Arc<Principal>, VerifyError>;

    /// The clock by which the age of an authentication is measured.
    fn clock(&self) -> WallClock {
        WallClock::system()
    }
}

/// What a layer asks who calls: a [`Verifier`], or something else that can [`Authenticate`]. Cloning shares it.
///
/// Layers and routers take whatever becomes one. A verifier stays as it is, without a box around its outcome; all else
/// has 10 s to answer, and after that the caller is told to come back (503).
#[derive(Clone)]
pub struct Authenticator(Who);

#[derive(Clone)]
enum Who {
    Verifier(Verifier),
    Other(Arc<dyn Authenticate>, Duration),
}

/// Above what an introspector takes by default, so that its own limit is the one that counts.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

impl Authenticator {
    /// Asks `authenticate`.
    #[must_use]
    pub fn new(authenticate: impl Authenticate) -> Self {
        Self(Who::Other(Arc::new(authenticate), TIMEOUT_DEFAULT))
    }

    /// How long an answer may take. A verifier has a limit of its own, which this does not change.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if let Who::Other(_, own) = &mut self.0 {
            *own = timeout;
        }
        self
    }

    pub(super) fn verify(&self, token: &str) -> Verify {
        match &self.0 {
            Who::Verifier(verifier) => verifier.verify(token),
            Who::Other(authenticate, timeout) => {
                let (authenticate, timeout) = (Arc::clone(authenticate), *timeout);
                let token = token.to_owned();
                Verify::elsewhere(async move {
                    let answer = authenticate.authenticate(&token);
                    time::timeout(timeout, answer).await.unwrap_or_else(|_| {
                        tracing::warn!(target: "msf_auth::layer", ?timeout, "no authentication in time");
                        Err(Reason::IssuerUnavailable.into())
                    })
                })
            }
        }
    }

    /// From whom users have their names, where that is known before the first one calls.
    pub(super) fn namers(&self) -> Option<Namers> {
        match &self.0 {
            Who::Verifier(verifier) => Some(verifier.namers().clone()),
            Who::Other(..) => None,
        }
    }

    pub(super) fn now_s(&self) -> u64 {
        match &self.0 {
            Who::Verifier(verifier) => verifier.clock().unix_seconds(),
            Who::Other(authenticate, _) => authenticate.clock().unix_seconds(),
        }
    }
}

impl From<Verifier> for Authenticator {
    fn from(verifier: Verifier) -> Self {
        Self(Who::Verifier(verifier))
    }
}

impl<A: Authenticate> From<A> for Authenticator {
    fn from(authenticate: A) -> Self {
        Self::new(authenticate)
    }
}

/// As `Authorization: Bearer msf_...` only; [`AuthLayerBuilder::api_keys`](super::AuthLayerBuilder::api_keys) takes
/// `x-api-key` too.
#[async_trait]
impl Authenticate for ApiKeys {
    async fn authenticate(&self, token: &str) -> Result<Arc<Principal>, VerifyError> {
        Ok(self.verify(token).await?)
    }
}

#[cfg(feature = "oauth-client")]
#[async_trait]
impl Authenticate for crate::introspect::Introspector {
    async fn authenticate(&self, token: &str) -> Result<Arc<Principal>, VerifyError> {
        self.introspect(token).await
    }

    fn clock(&self) -> WallClock {
        *self.wall_clock()
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}
