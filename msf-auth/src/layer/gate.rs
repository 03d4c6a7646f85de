//! The layer, and the gate that its services share.

use std::{fmt, sync::Arc};

use http::{Method, request::Parts};
use tower_layer::Layer;

use super::{
    AnsweringAuthLayer, Auth, AuthLayerBuilder, InvalidAuthLayer, metrics::DecisionMetrics,
};
#[cfg(feature = "oauth-client")]
use crate::introspect::Introspector;
use crate::{
    api_key::ApiKeys,
    audit::Audit,
    policy::{self, Decider, PathParams, Policy, Verb},
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
    pub(super) rules: Rules<Rule>,
    /// For methods that have no rule.
    pub(super) nobody: Rule,
    pub(super) params: Option<ParamSource>,
    pub(super) audit: Audit,
    pub(super) api_keys: Option<ApiKeys>,
    #[cfg(feature = "oauth-client")]
    pub(super) introspector: Option<Introspector>,
    pub(super) metrics: DecisionMetrics,
}

/// One for all methods, or one for each.
#[derive(Clone, Debug)]
pub(super) enum Rules<T> {
    One(T),
    ByMethod(Box<[(Verb, T)]>),
}

/// A policy, and what does not have to be found out for each request.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) policy: Policy,
    pub(super) is_public: bool,
    pub(super) needs_parameters: bool,
    pub(super) needs_time: bool,
    deciders: Box<[(Box<str>, Decider)]>,
}

impl<T> Rules<T> {
    pub(super) fn try_map<U, E>(self, map: impl Fn(T) -> Result<U, E>) -> Result<Rules<U>, E> {
        Ok(match self {
            Self::One(one) => Rules::One(map(one)?),
            Self::ByMethod(each) => {
                let each = each.into_iter().map(|(verb, one)| Ok((verb, map(one)?)));
                Rules::ByMethod(each.collect::<Result<_, E>>()?)
            }
        })
    }
}

impl Rule {
    pub(super) fn new(policy: Policy, deciders: Box<[(Box<str>, Decider)]>) -> Self {
        Self {
            is_public: policy.is_public(),
            needs_parameters: policy.needs_parameters(),
            needs_time: policy.needs_time(),
            policy,
            deciders,
        }
    }

    pub(super) fn nobody() -> Self {
        Self::new(policy::any([]), Box::default())
    }

    pub(super) fn decider(&self, name: &str) -> Option<&Decider> {
        let mut deciders = self.deciders.iter();
        deciders
            .find(|(own, _)| **own == *name)
            .map(|(_, decider)| decider)
    }
}

impl Gate {
    pub(super) fn rule(&self, method: &Method) -> &Rule {
        match &self.rules {
            Rules::One(rule) => rule,
            Rules::ByMethod(rules) => policy::find(rules, method).unwrap_or(&self.nobody),
        }
    }
}

impl AuthLayer {
    /// A layer for a policy that names neither path parameters nor external decisions; others take the
    /// [builder](Self::builder).
    ///
    /// # Errors
    ///
    /// [`InvalidAuthLayer`] when it names some.
    pub fn new(verifier: Verifier, policy: Policy) -> Result<Self, InvalidAuthLayer> {
        Self::builder(verifier, policy).build()
    }

    /// Begins with a policy and what verifies tokens.
    pub fn builder(verifier: Verifier, policy: Policy) -> AuthLayerBuilder {
        AuthLayerBuilder::new(verifier, policy)
    }

    pub(super) fn new_gate(gate: Gate) -> Self {
        Self(Arc::new(gate))
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
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
