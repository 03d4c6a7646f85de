//! The layers as methods of tower's `ServiceBuilder`.

use std::time::Duration;

use tower::{ServiceBuilder, layer::util::Stack};

use crate::{
    adaptive::{AdaptiveLayer, AdaptiveLimit},
    answering::Answering,
    bulkhead::{Bulkhead, BulkheadLayer},
    circuit_breaker::{CircuitBreaker, CircuitBreakerLayer},
    hedge::{self, HedgeLayer, HedgePolicy},
    load_shed::{LoadShed, LoadShedLayer},
    rate_limit::{AnsweringRateLimitLayer, RateLimitLayer, RateLimiter},
    retry::{RetryLayer, RetryPolicy},
    timeout::{RequestDeadline, TimeoutLayer},
};

/// The layers of this crate as methods of [`ServiceBuilder`].
///
/// Tower's own methods (`timeout`, `retry`, `rate_limit`, `load_shed`, ...) appear when some crate turns on their
/// features and would then be taken instead of these, so none of these has the name of one of those. A
/// method whose name begins with `answering_` adds the face that answers with problem+json. Layers that need more words
/// are added with [`ServiceBuilder::layer`]; the right order of many is a [pipeline](crate::pipeline).
///
/// ```
/// use std::time::Duration;
/// use http::{Request, Response};
/// use msf_resilience::{ServiceBuilderExt, bulkhead::Bulkhead};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = ServiceBuilder::new()
///     .bulkhead(Bulkhead::builder("reports").build()?)
///     .attempt_timeout(Duration::from_secs(1))
///     .service(service_fn(|_: Request<()>| async { Ok::<_, std::io::Error>(Response::new(())) }));
/// assert_eq!(service.oneshot(Request::new(())).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
pub trait ServiceBuilderExt<L>: sealed::Sealed {
    /// Adds [`CircuitBreakerLayer::new`].
    fn circuit_breaker(
        self,
        breaker: CircuitBreaker,
    ) -> ServiceBuilder<Stack<CircuitBreakerLayer, L>>;

    /// Adds [`CircuitBreakerLayer::answering`].
    fn answering_circuit_breaker(
        self,
        breaker: CircuitBreaker,
    ) -> ServiceBuilder<Stack<Answering<CircuitBreakerLayer>, L>>;

    /// Adds [`RateLimitLayer::new`].
    fn limit_rate<K, F>(
        self,
        limiter: RateLimiter<K>,
        key: F,
    ) -> ServiceBuilder<Stack<RateLimitLayer<K, F>, L>>;

    /// Adds [`RateLimitLayer::answering`].
    fn answering_limit_rate<K, F>(
        self,
        limiter: RateLimiter<K>,
        key: F,
    ) -> ServiceBuilder<Stack<AnsweringRateLimitLayer<K, F>, L>>;

    /// Adds [`BulkheadLayer::new`].
    fn bulkhead(self, bulkhead: Bulkhead) -> ServiceBuilder<Stack<BulkheadLayer, L>>;

    /// Adds [`BulkheadLayer::answering`].
    fn answering_bulkhead(
        self,
        bulkhead: Bulkhead,
    ) -> ServiceBuilder<Stack<Answering<BulkheadLayer>, L>>;

    /// Adds [`AdaptiveLayer::new`].
    fn adaptive_limit(self, limit: AdaptiveLimit) -> ServiceBuilder<Stack<AdaptiveLayer, L>>;

    /// Adds [`AdaptiveLayer::answering`].
    fn answering_adaptive_limit(
        self,
        limit: AdaptiveLimit,
    ) -> ServiceBuilder<Stack<Answering<AdaptiveLayer>, L>>;

    /// Adds [`LoadShedLayer::new`].
    fn shed_load<P>(
        self,
        shed: LoadShed,
        priority: P,
    ) -> ServiceBuilder<Stack<LoadShedLayer<P>, L>>;

    /// Adds [`LoadShedLayer::answering`].
    fn answering_shed_load<P>(
        self,
        shed: LoadShed,
        priority: P,
    ) -> ServiceBuilder<Stack<Answering<LoadShedLayer<P>>, L>>;

    /// Adds [`TimeoutLayer::new`].
    fn attempt_timeout(self, after: Duration) -> ServiceBuilder<Stack<TimeoutLayer, L>>;

    /// Adds [`TimeoutLayer::answering`].
    fn answering_attempt_timeout(
        self,
        after: Duration,
    ) -> ServiceBuilder<Stack<Answering<TimeoutLayer<RequestDeadline>>, L>>;

    /// Adds [`RetryLayer::new`].
    fn retry_within(self, policy: RetryPolicy) -> ServiceBuilder<Stack<RetryLayer, L>>;

    /// Adds [`RetryLayer::answering`].
    fn answering_retry_within(
        self,
        policy: RetryPolicy,
    ) -> ServiceBuilder<Stack<Answering<RetryLayer>, L>>;

    /// Adds [`HedgeLayer::answering`].
    fn hedge_within(
        self,
        policy: HedgePolicy,
    ) -> ServiceBuilder<Stack<HedgeLayer<hedge::Idempotent>, L>>;
}

impl<L> ServiceBuilderExt<L> for ServiceBuilder<L> {
    fn circuit_breaker(
        self,
        breaker: CircuitBreaker,
    ) -> ServiceBuilder<Stack<CircuitBreakerLayer, L>> {
        self.layer(CircuitBreakerLayer::new(breaker))
    }

    fn answering_circuit_breaker(
        self,
        breaker: CircuitBreaker,
    ) -> ServiceBuilder<Stack<Answering<CircuitBreakerLayer>, L>> {
        self.layer(CircuitBreakerLayer::answering(breaker))
    }

    fn limit_rate<K, F>(
        self,
        limiter: RateLimiter<K>,
        key: F,
    ) -> ServiceBuilder<Stack<RateLimitLayer<K, F>, L>> {
        self.layer(RateLimitLayer::new(limiter, key))
    }

    fn answering_limit_rate<K, F>(
        self,
        limiter: RateLimiter<K>,
        key: F,
    ) -> ServiceBuilder<Stack<AnsweringRateLimitLayer<K, F>, L>> {
        self.layer(RateLimitLayer::answering(limiter, key))
    }

    fn bulkhead(self, bulkhead: Bulkhead) -> ServiceBuilder<Stack<BulkheadLayer, L>> {
        self.layer(BulkheadLayer::new(bulkhead))
    }

    fn answering_bulkhead(
        self,
        bulkhead: Bulkhead,
    ) -> ServiceBuilder<Stack<Answering<BulkheadLayer>, L>> {
        self.layer(BulkheadLayer::answering(bulkhead))
    }

    fn adaptive_limit(self, limit: AdaptiveLimit) -> ServiceBuilder<Stack<AdaptiveLayer, L>> {
        self.layer(AdaptiveLayer::new(limit))
    }

    fn answering_adaptive_limit(
        self,
        limit: AdaptiveLimit,
    ) -> ServiceBuilder<Stack<Answering<AdaptiveLayer>, L>> {
        self.layer(AdaptiveLayer::answering(limit))
    }

    fn shed_load<P>(
        self,
        shed: LoadShed,
        priority: P,
    ) -> ServiceBuilder<Stack<LoadShedLayer<P>, L>> {
        self.layer(LoadShedLayer::new(shed, priority))
    }

    fn answering_shed_load<P>(
        self,
        shed: LoadShed,
        priority: P,
    ) -> ServiceBuilder<Stack<Answering<LoadShedLayer<P>>, L>> {
        self.layer(LoadShedLayer::answering(shed, priority))
    }

    fn attempt_timeout(self, after: Duration) -> ServiceBuilder<Stack<TimeoutLayer, L>> {
        self.layer(TimeoutLayer::new(after))
    }

    fn answering_attempt_timeout(
        self,
        after: Duration,
    ) -> ServiceBuilder<Stack<Answering<TimeoutLayer<RequestDeadline>>, L>> {
        self.layer(TimeoutLayer::answering(after))
    }

    fn retry_within(self, policy: RetryPolicy) -> ServiceBuilder<Stack<RetryLayer, L>> {
        self.layer(RetryLayer::new(policy))
    }

    fn answering_retry_within(
        self,
        policy: RetryPolicy,
    ) -> ServiceBuilder<Stack<Answering<RetryLayer>, L>> {
        self.layer(RetryLayer::answering(policy))
    }

    fn hedge_within(
        self,
        policy: HedgePolicy,
    ) -> ServiceBuilder<Stack<HedgeLayer<hedge::Idempotent>, L>> {
        self.layer(HedgeLayer::answering(policy))
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "so that the trait can gain methods")]
    pub trait Sealed {}
    impl<L> Sealed for tower::ServiceBuilder<L> {}
}
