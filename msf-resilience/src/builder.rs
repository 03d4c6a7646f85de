//! The layers as methods of tower's `ServiceBuilder`.

use std::hash::Hash;

use tower::{ServiceBuilder, layer::util::Stack};

use crate::{
    circuit_breaker::{AnsweringCircuitBreakerLayer, CircuitBreaker, CircuitBreakerLayer},
    rate_limit::{AnsweringRateLimitLayer, RateLimitLayer, RateLimiter},
};

/// The layers of this crate as methods of [`ServiceBuilder`].
///
/// Tower's own methods (`timeout`, `retry`, `rate_limit`, `load_shed`, ...) appear when some crate turns on their
/// features and would then be taken instead of these, so none of these has the name of one of those. A
/// method whose name begins with `answering_` adds the face that answers with problem+json.
///
/// ```
/// use http::{Request, Response};
/// use msf_resilience::{ServiceBuilderExt, circuit_breaker::CircuitBreaker};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = ServiceBuilder::new()
///     .circuit_breaker(CircuitBreaker::builder("reports").build()?)
///     .service(service_fn(|_: Request<()>| async { Ok::<_, std::io::Error>(Response::new(())) }));
/// assert_eq!(service.oneshot(Request::new(())).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
pub trait ServiceBuilderExt<L>: sealed::Sealed {
    /// [`CircuitBreakerLayer::new`].
    fn circuit_breaker(
        self,
        breaker: CircuitBreaker,
    ) -> ServiceBuilder<Stack<CircuitBreakerLayer, L>>;

    /// [`CircuitBreakerLayer::answering`].
    fn answering_circuit_breaker(
        self,
        breaker: CircuitBreaker,
    ) -> ServiceBuilder<Stack<AnsweringCircuitBreakerLayer, L>>;

    /// [`RateLimitLayer::new`].
    fn limit_rate<K: Clone + Eq + Hash, F>(
        self,
        limiter: RateLimiter<K>,
        key: F,
    ) -> ServiceBuilder<Stack<RateLimitLayer<K, F>, L>>;

    /// [`RateLimitLayer::answering`].
    fn answering_limit_rate<K: Clone + Eq + Hash, F>(
        self,
        limiter: RateLimiter<K>,
        key: F,
    ) -> ServiceBuilder<Stack<AnsweringRateLimitLayer<K, F>, L>>;
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
    ) -> ServiceBuilder<Stack<AnsweringCircuitBreakerLayer, L>> {
        self.layer(CircuitBreakerLayer::answering(breaker))
    }

    fn limit_rate<K: Clone + Eq + Hash, F>(
        self,
        limiter: RateLimiter<K>,
        key: F,
    ) -> ServiceBuilder<Stack<RateLimitLayer<K, F>, L>> {
        self.layer(RateLimitLayer::new(limiter, key))
    }

    fn answering_limit_rate<K: Clone + Eq + Hash, F>(
        self,
        limiter: RateLimiter<K>,
        key: F,
    ) -> ServiceBuilder<Stack<AnsweringRateLimitLayer<K, F>, L>> {
        self.layer(RateLimitLayer::answering(limiter, key))
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "so that the trait can gain methods")]
    pub trait Sealed {}
    impl<L> Sealed for tower::ServiceBuilder<L> {}
}
