//! The parts, given in any order.

use std::sync::Arc;

use msf_core::{classify::Http, metrics::Metrics};

use super::{
    config::ClientConfig,
    handle::{HttpClient, Parts},
};
use crate::{
    bulkhead::Bulkhead,
    circuit_breaker::CircuitBreaker,
    name,
    pipeline::{
        invalid::{Findings, InvalidPipeline},
        part,
    },
    rate_limit::DirectLimiter,
};

/// Begins a pipeline for calls to one callee; `name` is that of the callee.
///
/// See the [module documentation](crate::pipeline).
pub fn http_client(name: impl Into<Arc<str>>) -> HttpClientBuilder {
    HttpClientBuilder {
        parts: Parts::new(name.into()),
        config: ClientConfig::default(),
        metrics: None,
        classify: Http::default(),
    }
}

/// Sets up an [`HttpClient`]. Parts may come in any order; those that are left out are not there.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct HttpClientBuilder<C = Http> {
    parts: Parts,
    config: ClientConfig,
    metrics: Option<Metrics>,
    classify: C,
}

impl<C> HttpClientBuilder<C> {
    /// Makes the parts that the sections of a configuration describe. A part that is given by its own method is taken
    /// instead of its section.
    pub fn config(mut self, config: &ClientConfig) -> Self {
        self.config = config.clone();
        self
    }

    /// Exports the metrics of the parts that the configuration describes.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// No more calls than this limit, everyone together.
    pub fn rate_limit(mut self, limiter: DirectLimiter) -> Self {
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
            config: self.config,
            metrics: self.metrics,
            classify,
        }
    }

    /// Checks everything and makes the pipeline.
    ///
    /// # Errors
    ///
    /// [`InvalidPipeline`] names every part that could not work, by its path.
    pub fn build(self) -> Result<HttpClient<C>, InvalidPipeline> {
        let Self {
            parts,
            config,
            metrics,
            classify,
        } = self;
        let name = parts.name;
        let mut findings = Findings::default();
        if !name::is_name(&name) {
            findings.report(
                "",
                "a pipeline's name must be 1 to 128 bytes without control characters",
            );
        }
        let metrics = metrics.as_ref();
        let parts = Parts {
            rate_limit: part::make(
                "rate_limit",
                parts.rate_limit,
                config.rate_limit.as_ref(),
                &name,
                metrics,
                &mut findings,
            ),
            bulkhead: part::make(
                "bulkhead",
                parts.bulkhead,
                config.bulkhead.as_ref(),
                &name,
                metrics,
                &mut findings,
            ),
            breaker: part::make(
                "breaker",
                parts.breaker,
                config.breaker.as_ref(),
                &name,
                metrics,
                &mut findings,
            ),
            name: Arc::clone(&name),
        };
        findings.into_result(&name)?;
        Ok(HttpClient::new(parts, classify))
    }
}
