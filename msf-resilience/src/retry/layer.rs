//! The layer with a typed error.

use msf_core::classify::Http;
use tower_layer::Layer;

use super::{
    policy::RetryPolicy,
    repeatable::{Always, Idempotent},
    request::{Cloned, HttpWith, ReplayHttp},
    service::RetryService,
};
use crate::answering::Answering;

/// Makes failed calls of a service again.
///
/// Every service it makes shares the one policy. Outcomes are judged by [`Http`] unless [`classify`](Self::classify) says otherwise.
///
/// See the [module documentation](super) for an example.
#[derive(Clone, Debug)]
#[must_use]
pub struct RetryLayer<R = ReplayHttp, C = Http, P = Idempotent> {
    policy: RetryPolicy,
    replay: R,
    classify: C,
    repeatable: P,
}

impl RetryLayer {
    /// A layer for HTTP with a typed error; the service inside gets a [`ReplayBody`](crate::replay::ReplayBody).
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            replay: ReplayHttp,
            classify: Http::default(),
            repeatable: Idempotent,
        }
    }

    /// A layer for HTTP whose error is that of the service inside; a used-up budget is answered with problem+json, if the
    /// policy is to [refuse](super::Exhausted::Refuse) then.
    ///
    /// ```
    /// use axum::{Router, body::Body, routing::get};
    /// use http::{Request, StatusCode};
    /// use msf_resilience::{budget::Rule, retry::{Exhausted, RetryLayer, RetryPolicy}};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let policy = RetryPolicy::builder("reports")
    ///     .budget_rule(Rule::concurrency(0.2, 1))
    ///     .exhausted(Exhausted::Refuse)
    ///     .build()?;
    /// let budget = policy.budget().expect("its own").clone();
    /// let app: Router = Router::new()
    ///     .route("/", get(|| async { StatusCode::BAD_GATEWAY }))
    ///     .layer(RetryLayer::answering(policy).map_body(Body::new));
    ///
    /// let failed = app.clone().oneshot(Request::new(Body::empty())).await?;
    /// assert_eq!(failed.status(), 502);
    ///
    /// let _used_up = budget.try_withdraw();
    /// let refused = app.oneshot(Request::new(Body::empty())).await?;
    /// assert_eq!(refused.status(), 503);
    /// # Ok(())
    /// # }
    /// ```
    pub fn answering(policy: RetryPolicy) -> Answering<Self> {
        Answering::new(Self::new(policy))
    }
}

impl<C, P> Answering<RetryLayer<ReplayHttp, C, P>> {
    /// See [`RetryLayer::map_body`].
    pub fn map_body<F>(self, body: F) -> Answering<RetryLayer<HttpWith<F>, C, P>> {
        self.map(|layer| layer.map_body(body))
    }
}

impl<R, C, P> Answering<RetryLayer<R, C, P>> {
    /// See [`RetryLayer::classify`].
    pub fn classify<D>(self, classify: D) -> Answering<RetryLayer<R, D, P>> {
        self.map(|layer| layer.classify(classify))
    }

    /// See [`RetryLayer::retry_if`].
    pub fn retry_if<Q>(self, repeatable: Q) -> Answering<RetryLayer<R, C, Q>> {
        self.map(|layer| layer.retry_if(repeatable))
    }
}

impl RetryLayer<Cloned, Http, Always> {
    /// A layer for requests of any type that can be cloned. All of them may be made twice, unless
    /// [`retry_if`](Self::retry_if) says otherwise.
    ///
    /// ```
    /// use std::{io, sync::atomic::{AtomicU32, Ordering}};
    /// use msf_core::classify::Classification;
    /// use msf_resilience::retry::{RetryLayer, RetryPolicy};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// static READS: AtomicU32 = AtomicU32::new(0);
    /// let disk = service_fn(|path: &'static str| async move {
    ///     match READS.fetch_add(1, Ordering::Relaxed) {
    ///         0 => Err(io::Error::other("interrupted")),
    ///         _ => Ok(path.len()),
    ///     }
    /// });
    /// let layer = RetryLayer::cloning(RetryPolicy::builder("disk").build()?)
    ///     .classify(|outcome: Result<&usize, &io::Error>| match outcome {
    ///         Ok(_) => Classification::SUCCESS,
    ///         Err(_) => Classification::FAILURE,
    ///     });
    /// assert_eq!(layer.layer(disk).oneshot("/etc").await?, 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cloning(policy: RetryPolicy) -> Self {
        Self {
            policy,
            replay: Cloned,
            classify: Http::default(),
            repeatable: Always,
        }
    }
}

impl<R, C> RetryLayer<R, C> {
    /// A layer for HTTP with a way to make requests again that was chosen elsewhere.
    pub(crate) const fn with(policy: RetryPolicy, replay: R, classify: C) -> Self {
        Self {
            policy,
            replay,
            classify,
            repeatable: Idempotent,
        }
    }
}

impl<C, P> RetryLayer<ReplayHttp, C, P> {
    /// Turns the [`ReplayBody`](crate::replay::ReplayBody) into the body that the service inside takes.
    ///
    /// ```
    /// use axum::{Router, body::Body, routing::put};
    /// use bytes::Bytes;
    /// use http::Request;
    /// use http_body_util::Full;
    /// use msf_resilience::retry::{RetryLayer, RetryPolicy};
    /// use tower::{Layer, ServiceExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app: Router = Router::new().route("/", put(async |body: String| body));
    /// let policy = RetryPolicy::builder("payment").build()?;
    /// let service = RetryLayer::new(policy).map_body(Body::new).layer(app);
    ///
    /// let request = Request::put("/").body(Full::<Bytes>::from("order 7"))?;
    /// assert_eq!(service.oneshot(request).await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map_body<F>(self, body: F) -> RetryLayer<HttpWith<F>, C, P> {
        RetryLayer {
            policy: self.policy,
            replay: HttpWith(body),
            classify: self.classify,
            repeatable: self.repeatable,
        }
    }
}

impl<R, C, P> RetryLayer<R, C, P> {
    /// Judges outcomes by another rule: a [`Classify`](msf_core::classify::Classify) or a closure.
    pub fn classify<D>(self, classify: D) -> RetryLayer<R, D, P> {
        RetryLayer {
            policy: self.policy,
            replay: self.replay,
            classify,
            repeatable: self.repeatable,
        }
    }

    /// Says which requests may be made twice: a [`Repeatable`](super::Repeatable) or a closure `Fn(&Req) -> bool`.
    pub fn retry_if<Q>(self, repeatable: Q) -> RetryLayer<R, C, Q> {
        RetryLayer {
            policy: self.policy,
            replay: self.replay,
            classify: self.classify,
            repeatable,
        }
    }
}

impl<S, R: Clone, C: Clone, P: Clone> Layer<S> for RetryLayer<R, C, P> {
    type Service = RetryService<S, R, C, P>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService::new(
            inner,
            self.policy.clone(),
            self.replay.clone(),
            self.classify.clone(),
            self.repeatable.clone(),
        )
    }
}
