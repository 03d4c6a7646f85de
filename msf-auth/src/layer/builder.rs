//! What a layer has to know.

use msf_core::metrics::Metrics;

use super::{
    AuthLayer, InvalidAuthLayer, ParamSource,
    gate::{Gate, Rule, Rules},
    metrics::DecisionMetrics,
};
#[cfg(feature = "oauth-client")]
use crate::introspect::Introspector;
use crate::{
    api_key::ApiKeys,
    audit::Audit,
    policy::{Decider, Policy, Verb},
    verify::Verifier,
};

/// Collects what an [`AuthLayer`] has to know. Made by [`AuthLayer::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthLayerBuilder {
    verifier: Verifier,
    rules: Rules<Policy>,
    params: Option<ParamSource>,
    surroundings: Surroundings,
}

/// What the gates of one router share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) deciders: Vec<(Box<str>, Decider)>,
    pub(crate) audit: Audit,
    pub(crate) metrics: Option<Metrics>,
    pub(crate) api_keys: Option<ApiKeys>,
    #[cfg(feature = "oauth-client")]
    pub(crate) introspector: Option<Introspector>,
}

impl Surroundings {
    /// The decider of this name; the last that was given.
    pub(crate) fn decider(&self, name: &str) -> Option<&Decider> {
        let mut deciders = self.deciders.iter().rev();
        deciders
            .find(|(own, _)| **own == *name)
            .map(|(_, decider)| decider)
    }
}

impl AuthLayerBuilder {
    pub(super) fn new(verifier: Verifier, policy: Policy) -> Self {
        Self {
            verifier,
            rules: Rules::One(policy),
            params: None,
            surroundings: Surroundings::default(),
        }
    }

    /// A policy for each method; callers with other methods do not pass.
    pub(crate) fn by_method(verifier: Verifier, policies: Vec<(Verb, Policy)>) -> Self {
        Self {
            verifier,
            rules: Rules::ByMethod(policies.into()),
            params: None,
            surroundings: Surroundings::default(),
        }
    }

    pub(crate) fn surroundings(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// Finds the parameters of the path with a function; it is called only for policies that name some.
    pub fn params(mut self, params: ParamSource) -> Self {
        self.params = Some(params);
        self
    }

    /// Whom to ask for the [`external`](crate::policy::external) decisions of this name.
    pub fn decider(mut self, name: impl Into<Box<str>>, decider: impl Into<Decider>) -> Self {
        let decider = (name.into(), decider.into());
        self.surroundings.deciders.push(decider);
        self
    }

    /// Takes API keys beside tokens, as `Authorization: Bearer msf_...` or `x-api-key`. By default there are none.
    ///
    /// A key cannot say that it is for another audience than this service: give services that must not share keys stores
    /// or environments of their own.
    pub fn api_keys(mut self, keys: ApiKeys) -> Self {
        self.surroundings.api_keys = Some(keys);
        self
    }

    /// Asks about tokens that are not signed. By default there are none.
    ///
    /// A token with the form of a JWT (three segments, the first begins with `ey`) goes to the verifier in any case, and
    /// is refused if that does not accept it.
    #[cfg(feature = "oauth-client")]
    #[cfg_attr(docsrs, doc(cfg(feature = "oauth-client")))]
    pub fn introspector(mut self, introspector: Introspector) -> Self {
        self.surroundings.introspector = Some(introspector);
        self
    }

    /// Where refusals of known callers are told; default the log.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.surroundings.audit = audit;
        self
    }

    /// Counts decisions in `metrics`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.surroundings.metrics = Some(metrics.clone());
        self
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// [`InvalidAuthLayer`] when the policy needs what is missing.
    pub fn build(self) -> Result<AuthLayer, InvalidAuthLayer> {
        let Self {
            verifier,
            rules,
            params,
            surroundings,
        } = self;
        let metrics = match &surroundings.metrics {
            Some(metrics) => DecisionMetrics::new(metrics)?,
            None => DecisionMetrics::noop(),
        };
        let rules = rules.try_map(|policy| {
            if params.is_none() && policy.needs_parameters() {
                return Err(InvalidAuthLayer::NoPathParams);
            }
            let decider = |name: &str| match surroundings.decider(name) {
                Some(decider) => Ok((name.into(), decider.clone())),
                None => Err(InvalidAuthLayer::NoDecider { name: name.into() }),
            };
            let deciders = policy.externals().into_iter().map(decider);
            let deciders = deciders.collect::<Result<_, _>>()?;
            Ok(Rule::new(policy, deciders))
        })?;
        Ok(AuthLayer::new_gate(Gate {
            verifier,
            rules,
            nobody: Rule::nobody(),
            params,
            audit: surroundings.audit,
            api_keys: surroundings.api_keys,
            #[cfg(feature = "oauth-client")]
            introspector: surroundings.introspector,
            metrics,
        }))
    }
}
