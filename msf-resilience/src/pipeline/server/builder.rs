//! The parts, given in any order.

use std::{fmt, marker::PhantomData, sync::Arc};

use http::{Extensions, HeaderMap};
use msf_core::metrics::Metrics;

use super::{
    config::{Inside, ServerConfig},
    handle::{HttpServer, Parts},
    shed::{PriorityFn, from_extensions},
};
use crate::{
    adaptive::AdaptiveLimit,
    bulkhead::{Bulkhead, UntilBodyEnd, UntilResponse},
    deadline::DeadlineLayer,
    load_shed::{LoadShed, Priority},
    pipeline::{
        invalid::{Findings, InvalidPipeline},
        part::{Making, Place},
    },
    rate_limit::{
        RateLimiter,
        key::{Everyone, KeySource},
    },
};

/// Begins a pipeline in front of handlers; `name` is that of the service.
///
/// See the [module documentation](crate::pipeline).
pub fn http_server(name: impl Into<Arc<str>>) -> HttpServerBuilder {
    HttpServerBuilder {
        name: name.into(),
        config: ServerConfig::default(),
        metrics: None,
        given: Given {
            deadline: None,
            load_shed: None,
            rate_limit: None,
            adaptive: None,
            bulkhead: None,
        },
        key: Everyone,
        priority: from_extensions,
        hold: PhantomData,
    }
}

/// Sets up an [`HttpServer`]. Parts may come in any order; those that are left out are not there.
#[must_use = "a builder does nothing before `build`"]
pub struct HttpServerBuilder<K: KeySource = Everyone, P = PriorityFn, H = UntilResponse> {
    name: Arc<str>,
    config: ServerConfig,
    metrics: Option<Metrics>,
    given: Given<K>,
    key: K,
    priority: P,
    hold: PhantomData<fn() -> H>,
}

/// What is given in code, in place of the section.
struct Given<K: KeySource> {
    deadline: Option<DeadlineLayer>,
    load_shed: Option<LoadShed>,
    rate_limit: Option<RateLimiter<K::Key>>,
    adaptive: Option<AdaptiveLimit>,
    bulkhead: Option<Bulkhead>,
}

impl<P, H> HttpServerBuilder<Everyone, P, H> {
    /// Limits each key of a source to what the limiter allows, and tells of it in every answer.
    pub fn rate_limit<K: KeySource>(
        self,
        limiter: RateLimiter<K::Key>,
        source: K,
    ) -> HttpServerBuilder<K, P, H> {
        self.by(source, Some(limiter))
    }

    /// Whose requests the limit of the configuration counts. Without it they are everyone's together.
    pub fn limit_by<K: KeySource>(self, source: K) -> HttpServerBuilder<K, P, H> {
        self.by(source, None)
    }

    fn by<K: KeySource>(
        self,
        key: K,
        rate_limit: Option<RateLimiter<K::Key>>,
    ) -> HttpServerBuilder<K, P, H> {
        let given = self.given;
        HttpServerBuilder {
            name: self.name,
            config: self.config,
            metrics: self.metrics,
            given: Given {
                deadline: given.deadline,
                load_shed: given.load_shed,
                rate_limit,
                adaptive: given.adaptive,
                bulkhead: given.bulkhead,
            },
            key,
            priority: self.priority,
            hold: PhantomData,
        }
    }
}

impl<K: KeySource, P, H> HttpServerBuilder<K, P, H> {
    /// Makes the parts that the sections of a configuration describe. A part that is given by its own method is taken
    /// instead of its section.
    pub fn config(mut self, config: &ServerConfig) -> Self {
        self.config = config.clone();
        self
    }

    /// Exports the metrics of the parts that the configuration describes.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Reads, keeps and enforces the deadlines that requests come with.
    pub fn deadline(mut self, layer: DeadlineLayer) -> Self {
        self.given.deadline = Some(layer);
        self
    }

    /// Sheds what matters least when there is too much.
    pub fn load_shed(mut self, shed: LoadShed) -> Self {
        self.given.load_shed = Some(shed);
        self
    }

    /// How much a request matters. Without it, what its extensions say.
    pub fn priority<Q>(self, priority: Q) -> HttpServerBuilder<K, Q, H>
    where
        Q: Fn(&HeaderMap, &Extensions) -> Priority,
    {
        HttpServerBuilder {
            name: self.name,
            config: self.config,
            metrics: self.metrics,
            given: self.given,
            key: self.key,
            priority,
            hold: PhantomData,
        }
    }

    /// So many requests at once as latency shows to be good. In place of a [`bulkhead`](Self::bulkhead).
    pub fn adaptive(mut self, limit: AdaptiveLimit) -> Self {
        self.given.adaptive = Some(limit);
        self
    }

    /// So many requests at once; one waits for a permit as long as the bulkhead says.
    pub fn bulkhead(mut self, bulkhead: Bulkhead) -> Self {
        self.given.bulkhead = Some(bulkhead);
        self
    }

    /// Holds the permits of adaptive limit or bulkhead until the body of a response has ended, failed or is dropped: for
    /// handlers that go on working while they stream.
    ///
    /// ```
    /// use axum::{Router, body::Body, routing::get};
    /// use http::Request;
    /// use msf_resilience::{bulkhead::Bulkhead, pipeline::http_server};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bulkhead = Bulkhead::builder("exports").max_concurrent(1).build()?;
    /// let exports = http_server("exports").bulkhead(bulkhead.clone()).until_body_end().build()?;
    /// let app: Router = Router::new().route("/", get(|| async { "a long export" })).layer(exports);
    ///
    /// let response = app.oneshot(Request::new(Body::empty())).await?;
    /// assert_eq!(bulkhead.snapshot().in_flight(), 1);
    /// drop(response);
    /// assert_eq!(bulkhead.snapshot().in_flight(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn until_body_end(self) -> HttpServerBuilder<K, P, UntilBodyEnd> {
        HttpServerBuilder {
            name: self.name,
            config: self.config,
            metrics: self.metrics,
            given: self.given,
            key: self.key,
            priority: self.priority,
            hold: PhantomData,
        }
    }

    /// Checks everything and makes the pipeline.
    ///
    /// # Errors
    ///
    /// [`InvalidPipeline`] names every part that could not work, by its path.
    pub fn build(self) -> Result<HttpServer<K, P, H>, InvalidPipeline> {
        let Self {
            name,
            config,
            metrics,
            given,
            key,
            priority,
            hold: _,
        } = self;
        let mut findings = Findings::of_name(&name)?;
        let mut making = Making {
            name: &name,
            metrics: metrics.as_ref(),
            findings: &mut findings,
        };
        let deadline = making.make("deadline", given.deadline, config.deadline.as_ref());
        let rate_limit = making.make("rate_limit", given.rate_limit, config.rate_limit.as_ref());
        let adaptive = making.make("adaptive", given.adaptive, config.adaptive.as_ref());
        let bulkhead = making.make("bulkhead", given.bulkhead, config.bulkhead.as_ref());
        if adaptive.part.is_some() && bulkhead.part.is_some() {
            findings.report(
                "adaptive",
                "a pipeline has an adaptive limit or a bulkhead, not both",
            );
        }
        let is_given = given.load_shed.is_some();
        let described = config.load_shed.as_ref().filter(|_| !is_given);
        let described = described.and_then(|section| {
            let inside = Inside {
                adaptive: adaptive.part.as_ref(),
                bulkhead: bulkhead.part.as_ref(),
            };
            let builder = inside.shed(&name, section);
            let builder = match &metrics {
                Some(metrics) => builder.metrics(metrics),
                None => builder,
            };
            findings.check("load_shed", builder.build())
        });
        findings.into_result(&name)?;
        Ok(HttpServer::new(Parts {
            name,
            deadline,
            load_shed: Place::of(given.load_shed.or(described), is_given),
            priority,
            rate_limit,
            key,
            adaptive,
            bulkhead,
        }))
    }
}

impl<K: KeySource, P, H> fmt::Debug for HttpServerBuilder<K, P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServerBuilder")
            .field("name", &self.name)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
