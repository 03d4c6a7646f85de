//! The parts, given in any order.

use std::{sync::Arc, time::Duration};

use msf_core::{classify::Http, metrics::Metrics};

use super::{
    config::ClientConfig,
    handle::{GivenTimes, HttpClient, Parts},
};
use crate::{
    bulkhead::Bulkhead,
    circuit_breaker::CircuitBreaker,
    hedge::HedgePolicy,
    pipeline::{
        invalid::{Findings, InvalidPipeline},
        part::Making,
    },
    rate_limit::DirectLimiter,
    retry::{HttpWith, ReplayHttp, RetryPolicy},
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
        replay: ReplayHttp,
    }
}

/// Sets up an [`HttpClient`]. Parts may come in any order; those that are left out are not there.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct HttpClientBuilder<C = Http, R = ReplayHttp> {
    name: Arc<str>,
    given: Given,
    config: ClientConfig,
    metrics: Option<Metrics>,
    classify: C,
    replay: R,
}

/// What is given in code, in place of the section.
#[derive(Clone, Debug, Default)]
struct Given {
    times: GivenTimes,
    retry: Option<RetryPolicy>,
    hedge: Option<HedgePolicy>,
    rate_limit: Option<DirectLimiter>,
    bulkhead: Option<Bulkhead>,
    breaker: Option<CircuitBreaker>,
}

impl<C, R> HttpClientBuilder<C, R> {
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
        self.given.times.deadline = Some(total);
        self
    }

    /// By how much less than its own time the callee is told, for the way back. Default zero.
    pub const fn deadline_margin(mut self, margin: Duration) -> Self {
        self.given.times.margin = Some(margin);
        self
    }

    /// Makes failed calls again, each attempt through all that follows.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.given.retry = Some(policy);
        self
    }

    /// Makes slow calls a second time. It has a budget of its own unless its builder was given that of the retries, in which
    /// a call is counted once.
    pub fn hedge(mut self, policy: HedgePolicy) -> Self {
        self.given.hedge = Some(policy);
        self
    }

    /// The time of a single attempt. One that is over is a failure of the callee.
    pub const fn attempt_timeout(mut self, after: Duration) -> Self {
        self.given.times.attempt = Some(after);
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
    pub fn classify<D>(self, classify: D) -> HttpClientBuilder<D, R> {
        HttpClientBuilder {
            name: self.name,
            given: self.given,
            config: self.config,
            metrics: self.metrics,
            classify,
            replay: self.replay,
        }
    }

    /// Turns the [`ReplayBody`](crate::replay::ReplayBody) that attempts have into the body that the service inside takes.
    ///
    /// ```
    /// use axum::body::Body;
    /// use http::{Request, Response};
    /// use msf_resilience::{pipeline::http_client, retry::RetryPolicy};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let inner = service_fn(|_: Request<Body>| async { Ok::<_, std::io::Error>(Response::new(())) });
    /// let client = http_client("payments").map_body(Body::new).build()?.layer(inner);
    /// assert_eq!(client.oneshot(Request::new(Body::from("7"))).await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map_body<F>(self, body: F) -> HttpClientBuilder<C, HttpWith<F>> {
        HttpClientBuilder {
            name: self.name,
            given: self.given,
            config: self.config,
            metrics: self.metrics,
            classify: self.classify,
            replay: HttpWith(body),
        }
    }

    /// Checks everything and makes the pipeline.
    ///
    /// # Errors
    ///
    /// [`InvalidPipeline`] names every part that could not work, by its path.
    pub fn build(self) -> Result<HttpClient<C, R>, InvalidPipeline> {
        let Self {
            name,
            given,
            config,
            metrics,
            classify,
            replay,
        } = self;
        let mut findings = Findings::of_name(&name)?;
        let times = given.times.or(&config);
        times.check(&mut findings);
        let mut making = Making {
            name: &name,
            metrics: metrics.as_ref(),
            findings: &mut findings,
        };
        let retry = making.make("retry", given.retry, config.retry.as_ref());
        let counted = retry.part.as_ref().and_then(RetryPolicy::budget);
        let hedge = making.make_by("hedge", given.hedge, config.hedge.as_ref(), |section| {
            let hedge = HedgePolicy::builder(Arc::clone(&name)).config(section);
            let hedge = match counted {
                // The retry outside has counted the call.
                Some(budget) => hedge.budget(budget.without_deposits()),
                None => hedge,
            };
            match &metrics {
                Some(metrics) => hedge.metrics(metrics).build(),
                None => hedge.build(),
            }
        });
        let parts = Parts {
            name: Arc::clone(&name),
            deadline: making.make_of(
                "deadline",
                given.times.deadline.as_ref(),
                config.deadline.as_ref(),
            ),
            deadline_margin: times.margin,
            given: given.times,
            retry,
            hedge,
            rate_limit: making.make("rate_limit", given.rate_limit, config.rate_limit.as_ref()),
            bulkhead: making.make("bulkhead", given.bulkhead, config.bulkhead.as_ref()),
            breaker: making.make("breaker", given.breaker, config.breaker.as_ref()),
            attempt_timeout: making.make_of(
                "attempt_timeout",
                given.times.attempt.as_ref(),
                config.attempt_timeout.as_ref(),
            ),
        };
        findings.into_result(&name)?;
        // Every part is there that should be: one that could not be made is a finding.
        Ok(HttpClient::new(parts, classify, replay))
    }
}
