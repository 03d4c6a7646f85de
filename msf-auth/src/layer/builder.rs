//! What a layer has to know.

use msf_core::metrics::Metrics;

use super::{
    AuthLayer, Authenticator, InvalidAuthLayer, ParamSource,
    gate::{Gate, Rule, Rules},
    metrics::DecisionMetrics,
};
use crate::{
    api_key::ApiKeys,
    audit::Audit,
    policy::{Decider, Policy},
};

/// Collects what an [`AuthLayer`] has to know. Made by [`AuthLayer::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthLayerBuilder {
    authenticator: Authenticator,
    rules: Rules<Policy>,
    params: Option<ParamSource>,
    surroundings: Surroundings,
}

/// What the gates of one router share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) deciders: Vec<(Box<str>, Decider)>,
    pub(crate) audit: Option<Audit>,
    pub(crate) metrics: Option<Metrics>,
    pub(crate) api_keys: Option<ApiKeys>,
}

impl Surroundings {
    /// Those of a router that became part of another: what it has not itself, it takes from there. API keys are not
    /// among that, since they are one more way in.
    #[cfg(feature = "axum")]
    pub(crate) fn within(self, outer: &Self) -> Self {
        // The last of a name counts.
        let deciders = outer.deciders.iter().cloned().chain(self.deciders);
        Self {
            deciders: deciders.collect(),
            audit: self.audit.or_else(|| outer.audit.clone()),
            metrics: self.metrics.or_else(|| outer.metrics.clone()),
            api_keys: self.api_keys,
        }
    }

    /// The decider of this name; the last that was given.
    pub(crate) fn decider(&self, name: &str) -> Option<&Decider> {
        let mut deciders = self.deciders.iter().rev();
        deciders
            .find(|(own, _)| **own == *name)
            .map(|(_, decider)| decider)
    }
}

impl AuthLayerBuilder {
    pub(super) fn new(authenticator: Authenticator, policy: Policy) -> Self {
        Self {
            authenticator,
            rules: Rules::One(policy),
            params: None,
            surroundings: Surroundings::default(),
        }
    }

    /// A policy for each method; callers with other methods do not pass.
    #[cfg(feature = "axum")]
    pub(crate) fn by_method(
        authenticator: Authenticator,
        policies: Vec<(crate::policy::Verb, Policy)>,
    ) -> Self {
        Self {
            authenticator,
            rules: Rules::ByMethod(policies.into()),
            params: None,
            surroundings: Surroundings::default(),
        }
    }

    #[cfg(feature = "axum")]
    pub(crate) fn surroundings(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// Finds the parameters of the path with a function; it is called only for policies that name some, or somebody
    /// [to ask](Self::decider), who sees them.
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

    /// Where refusals of known callers are told; default the log.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.surroundings.audit = Some(audit);
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
            authenticator,
            rules,
            params,
            surroundings,
        } = self;
        let metrics = match &surroundings.metrics {
            Some(metrics) => DecisionMetrics::new(metrics)?,
            None => DecisionMetrics::noop(),
        };
        let namers = authenticator.namers().map(|namers| {
            let keys = surroundings.api_keys.iter();
            keys.fold(namers, |namers, keys| namers.and(keys.issuer()))
        });
        let subject_suffices = namers.is_none_or(|namers| namers.subject_suffices());
        let rules = rules.try_map(|policy| {
            if !subject_suffices && policy.has_owner_without_issuer() {
                return Err(InvalidAuthLayer::OwnerWithoutIssuer);
            }
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
            authenticator,
            rules,
            nobody: Rule::nobody(),
            params,
            audit: surroundings.audit.unwrap_or_default(),
            api_keys: surroundings.api_keys,
            metrics,
        }))
    }
}
