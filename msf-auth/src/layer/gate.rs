//! The layer, and the gate that its services share.

use std::{fmt, sync::Arc};

use http::request::Parts;
use tower_layer::Layer;

use super::{AnsweringAuthLayer, Auth, NoPathParams};
use crate::{
    policy::{PathParams, Policy},
    verify::Verifier,
};

/// Where the layer finds path parameters: a function from the head of a request.
pub type ParamSource = fn(&mut Parts) -> PathParams;

/// Lets requests through whose caller passes a policy. Its services fail with a typed
/// [`Error`](super::Error). See the [module documentation](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthLayer(pub(super) Arc<Gate>);

/// What every service of a layer shares.
pub(super) struct Gate {
    pub(super) verifier: Verifier,
    pub(super) policy: Policy,
    pub(super) params: Option<ParamSource>,
    pub(super) is_public: bool,
}

impl AuthLayer {
    /// A layer for a policy that names no path parameters.
    ///
    /// # Errors
    ///
    /// [`NoPathParams`] when it names some.
    pub fn new(verifier: Verifier, policy: Policy) -> Result<Self, NoPathParams> {
        if policy.needs_parameters() {
            return Err(NoPathParams);
        }
        Ok(Self::assemble(verifier, policy, None))
    }

    /// A layer that finds the parameters of the path with a function; it is called only for policies that
    /// name some.
    pub fn with_params(verifier: Verifier, policy: Policy, params: ParamSource) -> Self {
        let params = policy.needs_parameters().then_some(params);
        Self::assemble(verifier, policy, params)
    }

    fn assemble(verifier: Verifier, policy: Policy, params: Option<ParamSource>) -> Self {
        let is_public = policy.is_public();
        Self(Arc::new(Gate {
            verifier,
            policy,
            params,
            is_public,
        }))
    }

    /// The face whose services answer refusals with a problem and fail only as the inner service does.
    pub fn answering(self) -> AnsweringAuthLayer {
        AnsweringAuthLayer::new(self)
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth::new(inner, self.0.clone())
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
