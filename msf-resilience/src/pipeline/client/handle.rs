//! The pipeline itself: a layer, and a hand on its parts.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use msf_core::classify::Http;
use tower_layer::Layer;

use super::{
    config::{ClientConfig, Times},
    service::HttpClientService,
};
use crate::{
    answering::Answering,
    bulkhead::Bulkhead,
    circuit_breaker::CircuitBreaker,
    hedge::HedgePolicy,
    pipeline::{
        invalid::{Findings, InvalidPipeline},
        part::{Place, Total},
    },
    rate_limit::DirectLimiter,
    retry::{ReplayHttp, RetryPolicy},
    timeout::TimeoutLayer,
};

/// The pipeline in front of a callee: a [`Layer`] whose parts stand in the order of the
/// [module documentation](crate::pipeline).
///
/// Clones share their parts, and so do all services that it makes.
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpClient<C = Http, R = ReplayHttp> {
    shared: Arc<Shared>,
    classify: C,
    replay: R,
}

#[derive(Debug)]
struct Shared {
    parts: Parts,
    /// One after the other, so that what is in force is one configuration and not half of two.
    reloading: Mutex<Reloading>,
}

#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) name: Arc<str>,
    pub(super) deadline: Place<Total>,
    pub(super) deadline_margin: Duration,
    pub(super) given: GivenTimes,
    pub(super) retry: Place<RetryPolicy>,
    pub(super) hedge: Place<HedgePolicy>,
    pub(super) rate_limit: Place<DirectLimiter>,
    pub(super) bulkhead: Place<Bulkhead>,
    pub(super) breaker: Place<CircuitBreaker>,
    pub(super) attempt_timeout: Place<TimeoutLayer>,
}

/// The times that code gave, with which those of a configuration must fit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GivenTimes {
    pub(super) deadline: Option<Duration>,
    pub(super) margin: Option<Duration>,
    pub(super) attempt: Option<Duration>,
}

impl GivenTimes {
    /// All times, those of the configuration where code gave none.
    pub(super) fn or(self, config: &ClientConfig) -> Times {
        Times {
            deadline: self.deadline.or(config.deadline),
            margin: self.margin.unwrap_or(config.deadline_margin),
            attempt: self.attempt.or(config.attempt_timeout),
        }
    }
}

/// What reloads have done that the next one must know.
#[derive(Debug, Default)]
struct Reloading {
    /// The breaker is disabled because its section is gone, and not by an operator.
    breaker_is_off: bool,
}

impl<C, R> HttpClient<C, R> {
    pub(super) fn new(parts: Parts, classify: C, replay: R) -> Self {
        Self {
            shared: Arc::new(Shared {
                parts,
                reloading: Mutex::default(),
            }),
            classify,
            replay,
        }
    }

    /// Gives the parts new numbers while they run: all of them, or none if anything is wrong.
    ///
    /// Windows, counts, states and calls in flight stay. Parts that were given in code are not touched. Which parts there
    /// are cannot change, but for the breaker: without its section it is disabled, and with it again released. One that an
    /// operator holds stays as it is.
    ///
    /// # Errors
    ///
    /// [`InvalidPipeline`] names everything that could not work, and every part that would come or go.
    pub fn reload(&self, config: &ClientConfig) -> Result<(), InvalidPipeline> {
        let Shared { parts, reloading } = &*self.shared;
        let mut reloading = reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut findings = Findings::default();
        config.check(parts, &mut findings);
        if findings.is_empty() {
            config.apply(parts, &mut reloading.breaker_is_off, &mut findings);
        }
        findings.into_result(&parts.name)
    }

    /// The face that answers with problem+json instead of an error of the pipeline.
    pub const fn answering(self) -> Answering<Self> {
        Answering::new(self)
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.parts.name
    }

    /// The policy of its retries, if it has one.
    #[must_use]
    pub fn retry(&self) -> Option<&RetryPolicy> {
        self.shared.parts.retry.part.as_ref()
    }

    /// The policy of its hedging, if it has one.
    #[must_use]
    pub fn hedge(&self) -> Option<&HedgePolicy> {
        self.shared.parts.hedge.part.as_ref()
    }

    /// The bulkhead, if it has one.
    #[must_use]
    pub fn bulkhead(&self) -> Option<&Bulkhead> {
        self.shared.parts.bulkhead.part.as_ref()
    }

    /// The breaker, if it has one.
    #[must_use]
    pub fn circuit_breaker(&self) -> Option<&CircuitBreaker> {
        self.shared.parts.breaker.part.as_ref()
    }

    /// The limit, if it has one.
    #[must_use]
    pub fn rate_limit(&self) -> Option<&DirectLimiter> {
        self.shared.parts.rate_limit.part.as_ref()
    }
}

impl<S, C: Clone, R: Clone> Layer<S> for HttpClient<C, R> {
    type Service = HttpClientService<S, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpClientService::new(inner, &self.shared.parts, &self.classify, &self.replay)
    }
}
