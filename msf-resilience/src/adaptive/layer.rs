//! The layer.

use std::marker::PhantomData;

use msf_core::classify::Http;
use tower_layer::Layer;

use super::{handle::AdaptiveLimit, service::AdaptiveService};
use crate::{
    answering::Answering,
    bulkhead::{UntilBodyEnd, UntilResponse},
};

/// Puts an adaptive limit before a service; a call above it gives [`Error::Limited`](super::Error::Limited).
///
/// Every service it makes shares the one limit. Outcomes are judged by [`Http`] unless [`classify`](Self::classify) says
/// otherwise. `H` is how long a call holds its permit.
///
/// ```
/// use std::convert::Infallible;
/// use msf_core::classify::Classification;
/// use msf_resilience::adaptive::{AdaptiveLayer, AdaptiveLimit, Error, Fixed};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limit = AdaptiveLimit::builder("search").algorithm(Fixed::new(1)).build()?;
/// let layer = AdaptiveLayer::new(limit.clone())
///     .classify(|_: Result<&u32, &Infallible>| Classification::SUCCESS);
/// let service = layer.layer(service_fn(|n: u32| async move { Ok::<_, Infallible>(n + 1) }));
///
/// assert_eq!(service.clone().oneshot(1).await, Ok(2));
/// let permit = limit.try_acquire()?;
/// assert!(matches!(service.oneshot(1).await, Err(Error::Limited(_))));
/// # drop(permit);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AdaptiveLayer<C = Http, H = UntilResponse> {
    limit: AdaptiveLimit,
    classify: C,
    hold: PhantomData<fn() -> H>,
}

impl AdaptiveLayer {
    /// A layer with a typed error that judges HTTP responses, and holds a permit until the response is there.
    pub fn new(limit: AdaptiveLimit) -> Self {
        Self {
            limit,
            classify: Http::default(),
            hold: PhantomData,
        }
    }

    /// A layer that answers a refused call with problem+json instead of an error.
    pub fn answering(limit: AdaptiveLimit) -> Answering<Self> {
        Answering::new(Self::new(limit))
    }
}

impl<C, H> AdaptiveLayer<C, H> {
    /// Judges outcomes by another rule: a [`Classify`](msf_core::classify::Classify) or a closure.
    pub fn classify<D>(self, classify: D) -> AdaptiveLayer<D, H> {
        AdaptiveLayer {
            limit: self.limit,
            classify,
            hold: PhantomData,
        }
    }

    /// Holds a permit until the response's body has ended, failed or is dropped. The latency is that of the head all the same:
    /// how fast a client reads is nothing that the callee could do better.
    pub fn until_body_end(self) -> AdaptiveLayer<C, UntilBodyEnd> {
        AdaptiveLayer {
            limit: self.limit,
            classify: self.classify,
            hold: PhantomData,
        }
    }
}

impl<C, H> Answering<AdaptiveLayer<C, H>> {
    /// See [`AdaptiveLayer::classify`].
    pub fn classify<D>(self, classify: D) -> Answering<AdaptiveLayer<D, H>> {
        self.map(|layer| layer.classify(classify))
    }

    /// See [`AdaptiveLayer::until_body_end`].
    pub fn until_body_end(self) -> Answering<AdaptiveLayer<C, UntilBodyEnd>> {
        self.map(AdaptiveLayer::until_body_end)
    }
}

impl<S, C: Clone, H> Layer<S> for AdaptiveLayer<C, H> {
    type Service = AdaptiveService<S, C, H>;

    fn layer(&self, inner: S) -> Self::Service {
        AdaptiveService::new(inner, self.limit.clone(), self.classify.clone())
    }
}
