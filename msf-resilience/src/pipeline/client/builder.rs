//! The parts, given in any order.

use std::sync::Arc;

use msf_core::classify::Http;

use super::handle::{HttpClient, Parts};
use crate::{
    bulkhead::Bulkhead, circuit_breaker::CircuitBreaker, pipeline::invalid::InvalidPipeline,
    rate_limit::RateLimiter,
};

/// Begins a pipeline for calls to one callee; `name` is that of the callee.
///
/// See the [module documentation](crate::pipeline).
pub fn http_client(name: impl Into<Arc<str>>) -> HttpClientBuilder {
    HttpClientBuilder {
        parts: Parts::new(name.into()),
        classify: Http::default(),
    }
}

/// Sets up an [`HttpClient`]. Parts may come in any order; those that are left out are not there.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct HttpClientBuilder<C = Http> {
    parts: Parts,
    classify: C,
}

impl<C> HttpClientBuilder<C> {
    /// No more calls than this limit, everyone together.
    pub fn rate_limit(mut self, limiter: RateLimiter<()>) -> Self {
        self.parts.rate_limit = Some(limiter);
        self
    }

    /// No more calls at once than this bulkhead has permits; a call waits for one as long as the bulkhead says.
    pub fn bulkhead(mut self, bulkhead: Bulkhead) -> Self {
        self.parts.bulkhead = Some(bulkhead);
        self
    }

    /// Fails fast while the callee fails.
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.parts.breaker = Some(breaker);
        self
    }

    /// Judges outcomes by another rule than [`Http`]: a [`Classify`](msf_core::classify::Classify) or a closure.
    ///
    /// It sees what the service inside gives; what the parts of the pipeline do is judged by the pipeline.
    pub fn classify<D>(self, classify: D) -> HttpClientBuilder<D> {
        HttpClientBuilder {
            parts: self.parts,
            classify,
        }
    }

    /// Checks everything and makes the pipeline.
    ///
    /// # Errors
    ///
    /// [`InvalidPipeline`] names every part that could not work, by its path.
    pub fn build(self) -> Result<HttpClient<C>, InvalidPipeline> {
        Ok(HttpClient::new(self.parts, self.classify))
    }
}
