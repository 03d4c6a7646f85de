//! The pipeline itself: a layer, and a hand on its parts.

use std::sync::Arc;

use msf_core::classify::Http;
use tower_layer::Layer;

use super::service::HttpClientService;
use crate::{
    answering::Answering, bulkhead::Bulkhead, circuit_breaker::CircuitBreaker,
    rate_limit::RateLimiter,
};

/// The pipeline in front of a callee: a [`Layer`] whose parts stand in the order of the
/// [module documentation](crate::pipeline).
///
/// Clones share their parts, and so do all services that it makes.
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpClient<C = Http> {
    parts: Arc<Parts>,
    classify: C,
}

#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) name: Arc<str>,
    pub(super) rate_limit: Option<RateLimiter<()>>,
    pub(super) bulkhead: Option<Bulkhead>,
    pub(super) breaker: Option<CircuitBreaker>,
}

impl Parts {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            rate_limit: None,
            bulkhead: None,
            breaker: None,
        }
    }
}

impl<C> HttpClient<C> {
    pub(super) fn new(parts: Parts, classify: C) -> Self {
        Self {
            parts: Arc::new(parts),
            classify,
        }
    }

    /// The face that answers with problem+json instead of an error of the pipeline.
    pub const fn answering(self) -> Answering<Self> {
        Answering::new(self)
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// The bulkhead, if it has one.
    #[must_use]
    pub fn bulkhead(&self) -> Option<&Bulkhead> {
        self.parts.bulkhead.as_ref()
    }

    /// The breaker, if it has one.
    #[must_use]
    pub fn circuit_breaker(&self) -> Option<&CircuitBreaker> {
        self.parts.breaker.as_ref()
    }

    /// The limit, if it has one.
    #[must_use]
    pub fn rate_limit(&self) -> Option<&RateLimiter<()>> {
        self.parts.rate_limit.as_ref()
    }
}

impl<S, C: Clone> Layer<S> for HttpClient<C> {
    type Service = HttpClientService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpClientService::new(inner, &self.parts, &self.classify)
    }
}
