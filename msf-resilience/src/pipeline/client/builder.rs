//! The parts, given in any order.

use std::{sync::Arc, time::Duration};

use msf_core::{classify::Http, metrics::Metrics};

use super::{
    config::{ClientConfig, Times},
    handle::{HttpClient, Parts},
};
use crate::{
    bulkhead::Bulkhead,
    circuit_breaker::CircuitBreaker,
    name,
    pipeline::{
        invalid::{Findings, InvalidPipeline},
        part::Making,
    },
    rate_limit::DirectLimiter,
};

/// Begins a pipeline for calls to one callee; `name` is that of the callee.
///
/// See the [module documentation](crate::pipeline).
pub fn http_client(name: impl Into<Arc<str>>) -> HttpClientBuilder {
    HttpClientBuilder {
        name: name.into(),
        given: Given::default(),
        config: ClientConfig::default(),
        metrics: None,
        classify: Http::default(),
    }
}

/// Sets up an [`HttpClient`]. Parts may come in any order; those that are left out are not there.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct HttpClientBuilder<C = Http> {
    name: Arc<str>,
    given: Given,
    config: ClientConfig,
    metrics: Option<Metrics>,
    classify: C,
}

/// What is given in code, in place of the section.
#[derive(Clone, Debug, Default)]
struct Given {
    deadline: Option<Duration>,
    deadline_margin: Option<Duration>,
    rate_limit: Option<DirectLimiter>,
    bulkhead: Option<Bulkhead>,
    breaker: Option<CircuitBreaker>,
    attempt_timeout: Option<Duration>,
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

    /// The total time of a call with all its attempts and waits, unless the request has an earlier
    /// [`Deadline`](msf_core::deadline::Deadline). It is passed on to the callee in a header.
    pub const fn deadline(mut self, total: Duration) -> Self {
        self.given.deadline = Some(total);
        self
    }

    /// By how much less than its own time the callee is told, for the way back. Default zero.
    pub const fn deadline_margin(mut self, margin: Duration) -> Self {
        self.given.deadline_margin = Some(margin);
        self
    }

    /// The time of a single attempt. One that is over is a failure of the callee.
    pub const fn attempt_timeout(mut self, after: Duration) -> Self {
        self.given.attempt_timeout = Some(after);
        self
    }

    /// No more calls than this limit, everyone together.
    pub fn rate_limit(mut self, limiter: DirectLimiter) -> Self {
        self.given.rate_limit = Some(limiter);
        self
    }

    /// No more calls at once than this bulkhead has permits; a call waits for one as long as the bulkhead says.
    pub fn bulkhead(mut self, bulkhead: Bulkhead) -> Self {
        self.given.bulkhead = Some(bulkhead);
        self
    }

    /// Fails fast while the callee fails.
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.given.breaker = Some(breaker);
        self
    }

    /// Judges outcomes by another rule than [`Http`]: a [`Classify`](msf_core::classify::Classify) or a closure.
    ///
    /// It sees what the service inside gives; what the parts of the pipeline do is judged by the pipeline.
    pub fn classify<D>(self, classify: D) -> HttpClientBuilder<D> {
        HttpClientBuilder {
            name: self.name,
            given: self.given,
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
            name,
            given,
            config,
            metrics,
            classify,
        } = self;
        let mut findings = Findings::default();
        if !name::is_name(&name) {
            findings.report(
                "",
                "the name must be 1 to 128 bytes without control characters",
            );
        }
        let times = Times {
            deadline: given.deadline.or(config.deadline),
            margin: given.deadline_margin.unwrap_or(config.deadline_margin),
            attempt: given.attempt_timeout.or(config.attempt_timeout),
        };
        times.check(&mut findings);
        let mut making = Making {
            name: &name,
            metrics: metrics.as_ref(),
            findings: &mut findings,
        };
        let parts = Parts {
            name: Arc::clone(&name),
            deadline: making.make("deadline", None, times.deadline.as_ref()),
            deadline_margin: times.margin,
            rate_limit: making.make("rate_limit", given.rate_limit, config.rate_limit.as_ref()),
            bulkhead: making.make("bulkhead", given.bulkhead, config.bulkhead.as_ref()),
            breaker: making.make("breaker", given.breaker, config.breaker.as_ref()),
            attempt_timeout: making.make("attempt_timeout", None, times.attempt.as_ref()),
        };
        findings.into_result(&name)?;
        // Every part is there that should be: one that could not be made is a finding.
        Ok(HttpClient::new(parts, classify))
    }
}
